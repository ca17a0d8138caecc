// What the README shows of the HTTP API, as it stands there.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";

import { newKey } from "./api.js";
import { done, once, start } from "./harness.js";
import { snippets } from "./readme.js";

const run = promisify(execFile);

/** A server for this section's snippets, and a way to run one of them: its standard output. */
async function section(t, heading) {
  const { key, settings } = newKey();
  const server = await start(t, settings);
  const blocks = await snippets(heading);
  const find = (language, words) => {
    const found = blocks.filter((block) => block.language === language && block.text.includes(words));
    assert.equal(found.length, 1, `one ${language} block has ${words}`);
    return found[0].text.replaceAll("http://localhost:8000", server.url);
  };
  const env = { ...process.env, SOCKEYE_KEY: key };
  const sh = async (words) => JSON.parse((await run("sh", ["-c", find("sh", words).replace("curl ", "curl -sS ")], { env })).stdout);
  const node = async (words) => run("node", ["--input-type=module", "-e", find("js", words)], { env });
  return { server, sh, node, find };
}

const HEADING = "Tell one member something";

test("emitToMembers reaches all devices of one member and nobody else", async (t) => {
  const { server, node } = await section(t, HEADING);
  const member = { auth: { userId: "7", name: "Ada" } };
  const [phone, laptop, other] = [await server.connect(member), await server.connect(member), await server.user("8")];
  await node("emitToMembers");
  for (const socket of [phone, laptop]) {
    assert.deepEqual(await once(socket, "MEMBER_DEACTIVATED"), { reason: "left the company" });
  }
  phone.emit("message", "later");
  await once(other, "message");
  assert.ok(!other.inbox.items.some(([name]) => name === "MEMBER_DEACTIVATED"));
});

test("rooms and users without some", async (t) => {
  const { server, sh } = await section(t, HEADING);
  const [seven, eight, guest] = [await server.user("7"), await server.user("8"), await server.user("guest")];
  for (const socket of [eight, guest]) await done(socket, "join-room", { room: "tea" });
  assert.deepEqual(await sh("price-changed"), { success: true, data: { delivered: 2 } });
  for (const socket of [seven, guest]) assert.deepEqual(await once(socket, "price-changed"), { item: "lamp", price: 12 });
});

test("answers", async (t) => {
  const { server, sh, find } = await section(t, HEADING);
  const seven = await server.user("7");
  seven.on("still-there?", (answer) => answer("yes"));
  const reply = await sh("still-there?");
  const shown = JSON.parse(/^# (.*)$/m.exec(find("sh", "still-there?"))[1]);
  shown.data.answers[0].socketId = seven.session.socketId;
  assert.deepEqual(reply, shown);
});

test("a batch, once", async (t) => {
  const { server, sh, find } = await section(t, HEADING);
  const [seven, eight] = [await server.user("7"), await server.user("8")];
  const shown = JSON.parse(/^# (.*)$/m.exec(find("sh", "order-paid"))[1]);
  for (let time = 0; time < 2; time += 1) assert.deepEqual(await sh("order-paid"), shown);
  assert.deepEqual(await once(seven, "order-paid"), { id: 1 });
  assert.deepEqual(await once(eight, "order-paid"), { id: 2 });
  seven.emit("message", "later");
  await once(seven, "message");
  assert.ok(!seven.inbox.items.some(([name]) => name === "order-paid"), "the second time nobody heard it");
});
