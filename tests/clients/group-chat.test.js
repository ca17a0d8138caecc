// A page with the plain browser client: it emits `message` with a string and shows every `message` that it receives.

import assert from "node:assert/strict";
import { test } from "node:test";

import { GENERATIONS, TRANSPORTS, all, done, fence, once, start, untaken } from "./harness.js";

test("a message reaches everyone, the sender included, once", async (t) => {
  const server = await start(t);
  const pages = [await server.connect(), await server.connect(), await server.connect()];
  pages[0].emit("message", "hello");
  for (const page of pages) assert.deepEqual(await all(page, "message"), ["hello"]);
  await fence(pages[1], ...pages);
  for (const page of pages) assert.deepEqual(untaken(page, "message"), []);
});

test("all generations over all transports chat together", async (t) => {
  const server = await start(t);
  const pages = [];
  for (const generation of GENERATIONS) {
    for (const transports of TRANSPORTS) pages.push(await server.connect({ generation, transports }));
  }
  for (const [index, page] of pages.entries()) {
    page.emit("message", `from ${index}`);
    for (const other of pages) assert.deepEqual(await all(other, "message"), [`from ${index}`]);
  }
});

test("all generations share a room and its history", async (t) => {
  const server = await start(t);
  const users = [];
  for (const generation of GENERATIONS) users.push(await server.user(`v${generation}`, { generation }));
  for (const user of users) await done(user, "join-room", { room: "den" });
  for (const [index, user] of users.entries()) {
    const message = await done(user, "send-message", { room: "den", text: "hello" });
    assert.equal(message.offset, index + 1);
    for (const other of users) assert.deepEqual((await once(other, "message-saved")).message, message);
  }
  const histories = [];
  for (const user of users) histories.push(await done(user, "load-messages", { room: "den" }));
  assert.deepEqual(histories[0].messages.map(({ from }) => from.id), ["v4", "v3", "v2"]);
  assert.deepEqual(histories[1], histories[0]);
  assert.deepEqual(histories[2], histories[0]);
});

test("messages of one page arrive in the order they were sent", async (t) => {
  const server = await start(t, { "limits.events-per-second": 0 });
  const [one, other] = [await server.connect(), await server.connect()];
  const sent = Array.from({ length: 500 }, (_, index) => index);
  for (const index of sent) one.emit("message", index);
  const heard = [];
  while (heard.length < sent.length) heard.push(await once(other, "message"));
  assert.deepEqual(heard, sent);
});
