// The blocks of docs/search.md, run as they stand there.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";

import { newKey } from "./api.js";
import { Page } from "./docs.js";
import { done, start } from "./harness.js";

const docs = await Page.of("search.md");
const BODY = { text: "A meeting on Tuesday", title: "Agenda", file: { name: "minutes.pdf" } };

test("both requests find a message by its words", async (t) => {
  const { key, settings } = newKey();
  const server = await start(t, { ...settings, "search.fields": '["text"]' });
  const socket = await server.user("ada");
  const message = await done(socket, "send-message", { room: "tea", ...BODY });
  const snippet = `return (async () => { ${docs.take("js", "search-messages")}\n return data; })();`;
  assert.deepEqual(await new Function("socket", snippet)(socket), { messages: [message] });
  const command = docs.take("sh", "search=").replace("http://localhost:8000", server.url);
  const { stdout } = await promisify(execFile)("sh", ["-c", command.replace("curl ", "curl -sS ")], {
    env: { ...process.env, SOCKEYE_KEY: key },
  });
  assert.deepEqual(JSON.parse(stdout).data, { messages: [message] });
});

test("the setting of the page makes its fields found", async (t) => {
  const fields = /^fields = (.*)$/m.exec(docs.take("toml", "fields"))[1];
  const server = await start(t, { "search.fields": fields });
  const socket = await server.user("ada");
  await done(socket, "send-message", { room: "tea", ...BODY });
  for (const text of ["tuesday", "agenda", "minutes"]) {
    assert.equal((await done(socket, "search-messages", { text })).messages.length, 1, text);
  }
  docs.assertAllTaken();
});
