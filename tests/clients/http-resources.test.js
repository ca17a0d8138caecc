// What the README's section "Resources" shows.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";

import { newKey } from "./api.js";
import { once, start } from "./harness.js";
import { snippets } from "./readme.js";

test("the README's requests do what they say", async (t) => {
  const { key, settings } = newKey();
  const server = await start(t, settings);
  const ada = await server.user("u7");
  const bob = await server.user("u8");
  const replies = [];
  for (const { language, text } of await snippets("Resources")) {
    assert.equal(language, "sh");
    for (const line of text.split(/(?<!\\)\n/).filter((line) => line !== "")) {
      const command = line.replace("http://localhost:8000", server.url);
      const { stdout } = await promisify(execFile)("sh", ["-c", command], { env: { ...process.env, SOCKEYE_KEY: key } });
      replies.push(JSON.parse(stdout));
    }
  }
  assert.deepEqual(replies.map(({ success }) => success), replies.map(() => true), JSON.stringify(replies));
  const [posted, page, put, users, disconnected] = replies.map(({ data }) => data);
  assert.deepEqual([posted.from, posted.body], [{ id: "u7", name: "Ada" }, { text: "hello" }]);
  assert.deepEqual(page.messages, [posted]);
  assert.deepEqual(put, { joined: true, sockets: 1 });
  assert.deepEqual(users.users.map(({ id }) => id), ["u7", "u8"]);
  assert.deepEqual(disconnected, { sockets: 1 });
  assert.equal(await once(ada, "disconnect"), "io server disconnect");
  assert.equal(bob.connected, true);
});
