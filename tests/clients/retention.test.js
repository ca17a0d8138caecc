// [retention]: old messages are removed in the background.

import assert from "node:assert/strict";
import { test } from "node:test";

import { done, reload, start } from "./harness.js";

const enter = (socket, room, since) => done(socket, "join-room", { room, since });
const offsets = ({ messages }) => messages.map(({ offset }) => offset);

/** Posts this many messages. */
async function post(socket, room, count) {
  await Promise.all(Array.from({ length: count }, (_, number) => done(socket, "send-message", { room, number })));
}

/** Fulfilled when sweeps have removed this many messages, and not more. */
async function swept(server, count) {
  let removed = 0;
  while (removed < count) removed += (await server.logged({ message: "removed messages by [retention]" })).messages;
  assert.equal(removed, count);
}

test("the first rule that matches a room removes its oldest messages", async (t) => {
  const server = await start(t);
  const ada = await server.user("ada");
  for (const room of ["team-kept", "team-a", "other"]) {
    await enter(ada, room);
    await post(ada, room, 30);
  }
  const rules = `[retention."team-kept"]\nkeep = true\n[retention."team-*"]\nmax-messages = 10\n`;
  const changed = await reload(server, `${rules}[retention."*"]\nmax-age = "365d"\n`);
  assert.ok(changed.includes("retention.team-*.max-messages"), changed.join());
  await swept(server, 20);
  const newest = Array.from({ length: 10 }, (_, at) => at + 21);
  assert.deepEqual(offsets(await done(ada, "load-messages", { room: "team-a" })), newest);
  for (const room of ["team-kept", "other"]) {
    assert.equal((await done(ada, "load-messages", { room })).messages.length, 30);
  }
  const before = await enter(ada, "team-a", 5);
  assert.deepEqual([before.reset, offsets(before)], [true, newest]);
  const after = await enter(ada, "team-a", 25);
  assert.deepEqual([after.reset, offsets(after)], [false, newest.slice(5)]);
  // Still 10, with offsets that go on, also after a restart.
  await post(ada, "team-a", 5);
  await swept(server, 5);
  server.terminate();
  await server.exited();
  await server.start();
  const again = await server.user("ada");
  assert.deepEqual(offsets(await done(again, "load-messages", { room: "team-a" })), newest.map((offset) => offset + 5));
  const { rooms } = await done(again, "list-rooms");
  assert.deepEqual(rooms.find(({ room }) => room === "team-a").head, { offset: 35, revision: 35 });
});

test("messages go when they are too old", async (t) => {
  const server = await start(t, { "retention.tea.max-age": "1ms" });
  const ada = await server.user("ada");
  await enter(ada, "tea");
  await post(ada, "tea", 5);
  await swept(server, 5);
  assert.deepEqual((await done(ada, "load-messages", { room: "tea" })).messages, []);
  assert.equal((await done(ada, "send-message", { room: "tea", text: "next" })).offset, 6);
});
