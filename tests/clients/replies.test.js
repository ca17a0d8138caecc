// Error replies: the code of each kind of mistake.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { ask, done, fence, once, refused, start, untaken } from "./harness.js";

const UNKNOWN_ID = "0198c0de-0000-7000-8000-000000000000";

describe("bad-payload", () => {
  const wrong = {
    "send-message": [
      { room: 1.5 },
      { room: null },
      { room: ["den"] },
      { room: "" },
      { room: "x".repeat(129) },
      { room: "den", to: "bob" },
      { to: "" },
      { to: 7.5 },
      { to: null },
      [{ text: "x" }],
      { room: "dm:" },
      { idempotencyKey: "" },
      { idempotencyKey: 7 },
      { idempotencyKey: "x".repeat(129) },
    ],
    "edit-message": [undefined, {}, { id: "no uuid" }, { id: 1 }, { text: "of what?" }, "text", [UNKNOWN_ID]],
    "delete-message": [undefined, {}, { id: "no uuid" }, UNKNOWN_ID],
    "join-room": [undefined, {}, null, "den", { room: "" }, { room: "a\nb" }, { room: "den", since: -1 }, { room: "den", since: "1" }, { room: "den", since: 1.5 }],
    "leave-room": [undefined, {}, { room: 5.5 }, ["den"]],
    "load-messages": [{}, { room: "den", before: 1, after: 1 }, { room: "den", limit: 0 }, { room: "den", limit: -1 }, { room: "den", before: "1" }],
    "list-users": [{ room: 7.5 }, { room: {} }, "den"],
    "list-rooms": ["all", 1],
    "mark-read": [{}, { room: "lobby" }, { offset: 1 }, { room: "lobby", offset: -1 }, { room: "lobby", offset: "1" }],
    typing: [{}, { room: "lobby" }, { room: "lobby", typing: "yes" }],
    "refresh-token": [{}, { token: 1 }],
  };

  for (const [event, payloads] of Object.entries(wrong)) {
    test(`answers an invalid ${event}`, async (t) => {
      const server = await start(t);
      const ada = await server.user("ada");
      for (const payload of payloads) {
        const args = payload === undefined ? [] : [payload];
        assert.equal(await refused(ada, event, ...args), "bad-payload", JSON.stringify(payload));
      }
    });
  }

  test("answers several arguments, or binary, in an event with one payload", async (t) => {
    const server = await start(t);
    const ada = await server.user("ada");
    const bob = await server.user("bob");
    assert.equal(await refused(ada, "send-message", { text: "one" }, { text: "two" }), "bad-payload");
    assert.equal(await refused(ada, "send-message", Buffer.from("binary")), "bad-payload");
    assert.equal(await refused(ada, "send-message", { image: Buffer.from("binary") }), "bad-payload");
    assert.equal(await refused(ada, "join-room", { room: "den" }, 1), "bad-payload");
    await fence(ada, bob);
    assert.deepEqual(untaken(bob, "message-saved"), []);
    assert.equal((await done(ada, "load-messages", { room: "lobby" })).messages.length, 0);
  });
});

test("unknown-event answers events without a handler, including server events", async (t) => {
  const server = await start(t);
  const ada = await server.user("ada");
  for (const event of ["nonsense", "SendMessage", "send_message", "session", "message-saved", ""]) {
    assert.equal(await refused(ada, event, {}), "unknown-event", event);
  }
});

test("not-found answers a missing message or membership", async (t) => {
  const server = await start(t);
  const ada = await server.user("ada");
  assert.equal(await refused(ada, "edit-message", { id: UNKNOWN_ID, text: "x" }), "not-found");
  assert.equal(await refused(ada, "delete-message", { id: UNKNOWN_ID }), "not-found");
  assert.equal(await refused(ada, "mark-read", { room: "nowhere", offset: 1 }), "not-found");
});

test("forbidden answers a change of another user's message, which stays unchanged", async (t) => {
  const server = await start(t);
  const ada = await server.user("ada");
  const eve = await server.user("eve");
  const message = await done(ada, "send-message", { text: "mine" });
  assert.equal(await refused(eve, "edit-message", { id: message.id, text: "hers" }), "forbidden");
  assert.equal(await refused(eve, "delete-message", { id: message.id }), "forbidden");
  assert.deepEqual((await done(ada, "load-messages", { room: "lobby" })).messages, [message]);
  await fence(eve, ada);
  assert.deepEqual(untaken(ada, "message-edited", "message-deleted"), []);
});

test("a message in another's direct conversation is reported as not-found", async (t) => {
  const server = await start(t);
  const ada = await server.user("ada");
  const eve = await server.user("eve");
  const { id } = await done(ada, "send-message", { to: "bob", text: "psst" });
  assert.equal(await refused(eve, "edit-message", { id, text: "x" }), "not-found");
  assert.equal(await refused(eve, "delete-message", { id }), "not-found");
});

test("conflict answers the edit of a deleted message; deleting it again is no error and is not broadcast", async (t) => {
  const server = await start(t);
  const ada = await server.user("ada");
  const { id } = await done(ada, "send-message", { text: "gone soon" });
  const tombstone = await done(ada, "delete-message", { id });
  assert.deepEqual(tombstone.body, {});
  assert.ok(tombstone.deletedAt);
  assert.equal(await refused(ada, "edit-message", { id, text: "back" }), "conflict");
  assert.deepEqual(await done(ada, "delete-message", { id }), tombstone);
  await once(ada, "message-deleted");
  await fence(ada, ada);
  assert.deepEqual(untaken(ada, "message-deleted", "message-edited"), []);
});

test("too-large answers an event whose attachments together are too large", async (t) => {
  const server = await start(t);
  const ada = await server.user("ada");
  const bob = await server.user("bob");
  const half = Buffer.alloc(600_000);
  assert.equal(await refused(ada, "message", half, half), "too-large");
  await fence(ada, bob);
  assert.equal((await ask(ada, "message", half)).success, true, "half of it is fine");
  assert.deepEqual((await once(bob, "message")).length, half.length);
});

test("a failed event without acknowledgement is reported by event-error, only to its sender", async (t) => {
  const server = await start(t);
  const ada = await server.user("ada");
  const bob = await server.user("bob");
  const expected = [
    ["nonsense", {}, "unknown-event"],
    ["send-message", { room: {} }, "bad-payload"],
    ["join-room", {}, "bad-payload"],
    ["leave-room", { room: "lobby" }, "forbidden"],
    ["edit-message", { id: UNKNOWN_ID }, "not-found"],
  ];
  for (const [event, payload] of expected) ada.emit(event, payload);
  for (const [event, , code] of expected) {
    const error = await once(ada, "event-error");
    assert.deepEqual([error.event, error.code], [event, code], "in the order of the events");
    assert.deepEqual(Object.keys(error).sort(), ["code", "event", "message"]);
    assert.equal(typeof error.message, "string");
  }
  await fence(ada, bob);
  assert.deepEqual(untaken(bob, "event-error"), []);
});

test("event-error is sent neither for an acknowledged failure nor for a success", async (t) => {
  const server = await start(t);
  const ada = await server.user("ada");
  await refused(ada, "nonsense", {});
  ada.emit("send-message", { text: "fine" });
  await fence(ada, ada);
  assert.deepEqual(untaken(ada, "event-error"), []);
});

test("events of any kind are answered in the order they were sent", async (t) => {
  const server = await start(t, { "limits.events-per-second": 0 });
  const ada = await server.user("ada");
  const answered = [];
  const expected = [];
  const events = ["send-message", "join-room", "load-messages", "nonsense", "list-rooms", "message", "typing"];
  const rounds = [];
  for (let index = 0; index < 210; index += 1) {
    const event = events[index % events.length];
    expected.push(index);
    const payload = { room: "den", typing: true };
    rounds.push(new Promise((resolve) => ada.emit(event, payload, () => resolve(answered.push(index)))));
  }
  await Promise.all(rounds);
  assert.deepEqual(answered, expected);
});

test("invalid frames do not affect other clients", async (t) => {
  const server = await start(t);
  const ada = await server.user("ada");
  const frames = [
    "42",
    "42[",
    "42{}",
    "42[]",
    "42[1]",
    '42[{"a":1}]',
    '42["send-message"',
    '451-["message",{"_placeholder":true,"num":7}]',
    '459999999999-["message"]',
    "43[]",
    "9",
    "4",
    "40/nowhere,",
    '42/nowhere,["x"]',
    "\u0000",
    "x".repeat(10_000),
    `42["send-message",${"[".repeat(200_000)}]`,
    `42["message",${'{"a":'.repeat(5_000)}1${"}".repeat(5_000)}]`,
  ];
  for (const frame of frames) {
    const raw = await server.websocket();
    assert.equal(raw.status, 101);
    raw.socket.send('40{"userId":"raw"}');
    await raw.frames.take((text) => text.includes('"session"'), "a session");
    raw.socket.send(frame);
    raw.socket.send('421["send-message",{"text":"after"}]');
    // The sender gets an answer, or its connection is closed.
    const what = `an answer after ${frame.slice(0, 40)}`;
    await raw.frames.take((text) => text === "closed" || text.startsWith("431["), what);
    raw.socket.terminate();
  }
  await done(ada, "send-message", { text: "still here" });
  const next = await server.user("next");
  await done(next, "send-message", { text: "me too" });
});
