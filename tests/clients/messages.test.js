// Saved messages: content, order, and catching up after an absence.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { ask, done, fence, once, refused, start, untaken } from "./harness.js";

const UNLIMITED = { "limits.events-per-second": 0 };

/** Saves this many messages in a room. */
async function fill(socket, room, count) {
  const posts = Array.from({ length: count }, (_, index) => done(socket, "send-message", { room, n: index + 1 }));
  return Promise.all(posts);
}

const offsets = (messages) => messages.map(({ offset }) => offset);
const range = (first, last) => Array.from({ length: last - first + 1 }, (_, index) => first + index);

describe("a body", () => {
  test("is kept byte for byte, in the reply, in the event and in the store", async (t) => {
    const server = await start(t);
    const [one, other] = [await server.websocket(), await server.websocket()];
    for (const { socket, frames } of [one, other]) {
      socket.send('40{"userId":"raw"}');
      await frames.take((text) => text.includes('"session"'), "a session");
    }
    const fields = [
      String.raw`"te\u0078t" : "\u00e9\/☃"`,
      `"n":1.00`,
      `"big":12345678901234567890`,
      `"e":1E400`,
      `"a":[ 1 ,2]`,
      `"z":{ "room":1, "a":2 }`,
      `"dup":1,"dup":2`,
    ];
    const whole = `{ ${fields.join(" , ")}\t}`;
    const rest = `{${fields.join(",")}}`;
    const say = async (payload, id) => {
      one.socket.send(`42${id}["send-message",${payload}]`);
      const reply = await one.frames.take((text) => text.startsWith(`43${id}[`), "the reply");
      const event = await other.frames.take((text) => text.startsWith('42["message-saved"'), "the event");
      return [reply, event];
    };
    for (const text of await say(whole, 1)) assert.ok(text.includes(`"body":${whole}`), text);
    for (const text of await say(`{"room":"lobby",${rest.slice(1)}`, 2)) assert.ok(text.includes(`"body":${rest}`), text);
    one.socket.send('423["load-messages",{"room":"lobby"}]');
    const page = await one.frames.take((text) => text.startsWith("433["), "the page");
    for (const body of [whole, rest]) assert.ok(page.includes(`"body":${body}`), page);
  });

  test("has all fields of the payload except the control fields", async (t) => {
    const server = await start(t);
    const ada = await server.user("ada");
    const payload = { room: "den", text: "x", id: 7, from: "eve", offset: 99, revision: 99, senderId: "eve" };
    const message = await done(ada, "send-message", { ...payload, idempotencyKey: "k" });
    const { room, ...body } = payload;
    assert.deepEqual(message.body, body);
    assert.deepEqual([message.room, message.offset, message.from.id], [room, 1, "ada"]);
  });

  test("of a plain value is { value }", async (t) => {
    const server = await start(t);
    const ada = await server.user("ada");
    for (const payload of ["hello", 42, 1.5, true, null, ""]) {
      const message = await done(ada, "send-message", payload);
      assert.deepEqual(message.body, { value: payload });
      assert.equal(message.room, "lobby");
    }
    assert.deepEqual((await done(ada, "send-message", {})).body, {});
  });
});

test("a message has its fields, and no others", async (t) => {
  const server = await start(t);
  const ada = await server.user("ada");
  const message = await done(ada, "send-message", { room: "den", text: "x" });
  assert.deepEqual(Object.keys(message).sort(), ["at", "body", "from", "id", "offset", "revision", "room"]);
  assert.match(message.id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(new Date(message.at).toISOString(), message.at);
  const edited = await done(ada, "edit-message", { id: message.id, text: "y" });
  const { editedAt, ...rest } = edited;
  assert.equal(new Date(editedAt).toISOString(), editedAt);
  assert.deepEqual(rest, { ...message, revision: 2, body: { text: "y" } });
});

test("offsets count 1, 2, 3 in each room, regardless of refused messages", async (t) => {
  const server = await start(t);
  const ada = await server.user("ada");
  const bob = await server.user("bob");
  const seen = [];
  for (const sender of [ada, bob, ada]) {
    seen.push((await done(sender, "send-message", { room: "den" })).offset);
    await refused(sender, "send-message", { room: "den", to: "bob" });
    await done(sender, "send-message", { room: "attic", idempotencyKey: "same" });
    await refused(sender, "send-message", { room: "attic", idempotencyKey: "same", other: true });
  }
  assert.deepEqual(seen, [1, 2, 3]);
  assert.deepEqual(offsets((await done(ada, "load-messages", { room: "attic" })).messages), [1, 2]);
});

test("every post, edit and deletion raises the room's revision by one", async (t) => {
  const server = await start(t);
  const ada = await server.user("ada");
  const first = await done(ada, "send-message", { room: "den" });
  const edited = await done(ada, "edit-message", { id: first.id, text: "x" });
  const second = await done(ada, "send-message", { room: "den" });
  const deleted = await done(ada, "delete-message", { id: first.id });
  const { head } = await done(ada, "join-room", { room: "den" });
  assert.deepEqual([first, edited, second, deleted].map(({ revision }) => revision), [1, 2, 3, 4]);
  assert.deepEqual([first, edited, second, deleted].map(({ offset }) => offset), [1, 1, 2, 1]);
  assert.deepEqual(head, { offset: 2, revision: 4 });
});

test("a room's messages are broadcast in the order of their revisions", async (t) => {
  const server = await start(t, UNLIMITED);
  const sockets = [await server.user("ada"), await server.user("bob"), await server.user("cy")];
  await Promise.all(sockets.map((socket) => fill(socket, "lobby", 100)));
  for (const socket of sockets) {
    const revisions = [];
    while (revisions.length < 300) revisions.push((await once(socket, "message-saved")).message.revision);
    assert.deepEqual(revisions, range(1, 300));
  }
});

describe("an idempotency key", () => {
  test("returns the first message, which is broadcast once", async (t) => {
    const server = await start(t);
    const ada = await server.user("ada");
    const bob = await server.user("bob");
    const payload = { text: "once", idempotencyKey: "key-1" };
    const message = await done(ada, "send-message", payload);
    assert.equal(message.idempotencyKey, "key-1");
    assert.deepEqual(message.body, { text: "once" });
    assert.deepEqual(await done(ada, "send-message", payload), message);
    assert.deepEqual((await once(bob, "message-saved")).message, message);
    await fence(ada, ada, bob);
    assert.deepEqual(untaken(bob, "message-saved"), []);
    assert.equal((await done(ada, "load-messages", { room: "lobby" })).messages.length, 1);
  });

  test("with another body is a conflict", async (t) => {
    const server = await start(t);
    const ada = await server.user("ada");
    await done(ada, "send-message", { text: "once", idempotencyKey: "key-1" });
    assert.equal(await refused(ada, "send-message", { text: "twice", idempotencyKey: "key-1" }), "conflict");
    await done(ada, "send-message", { text: "twice", idempotencyKey: "key-2" });
  });

  test("belongs to one user", async (t) => {
    const server = await start(t);
    const [ada, bob] = [await server.user("ada"), await server.user("bob")];
    const payload = { text: "once", idempotencyKey: "key-1" };
    const [one, other] = [await done(ada, "send-message", payload), await done(bob, "send-message", payload)];
    assert.notEqual(one.id, other.id);
    assert.deepEqual([one.offset, other.offset], [1, 2]);
  });

  test("works for two devices that send at the same moment", async (t) => {
    const server = await start(t, UNLIMITED);
    const devices = [await server.user("ada"), await server.user("ada")];
    const keys = range(1, 50).map(String);
    const send = (device) => Promise.all(keys.map((key) => done(device, "send-message", { idempotencyKey: key, key })));
    const [one, other] = await Promise.all(devices.map(send));
    assert.deepEqual(other, one);
    assert.deepEqual(offsets(one).sort((a, b) => a - b), range(1, 50));
  });

  test("survives a kill of the server", async (t) => {
    const server = await start(t);
    const payload = { room: "den", text: "once", idempotencyKey: "key-1" };
    const message = await done(await server.user("ada"), "send-message", payload);
    await server.kill();
    await server.start();
    assert.deepEqual(await done(await server.user("ada"), "send-message", payload), message);
  });
});

describe("since", () => {
  test("is answered with every message changed after it, in revision order", async (t) => {
    const server = await start(t);
    const [ada, bob] = [await server.user("ada"), await server.user("bob")];
    const post = (text) => done(ada, "send-message", { room: "den", text });
    const [a, b, c] = [await post("a"), await post("b"), await post("c")];
    await done(ada, "edit-message", { id: a.id, text: "a2" });
    const d = await post("d");
    const b2 = await done(ada, "delete-message", { id: b.id });
    const a3 = await done(ada, "edit-message", { id: a.id, text: "a3" });
    const changed = [c, d, b2, a3];
    assert.deepEqual(changed.map(({ revision }) => revision), [3, 5, 6, 7]);
    for (const since of range(0, 7)) {
      const joined = await done(bob, "join-room", { room: "den", since });
      assert.deepEqual(joined.messages, changed.filter(({ revision }) => revision > since), `since ${since}`);
      assert.deepEqual([joined.more, joined.reset], [false, false], `since ${since}`);
      assert.deepEqual(joined.head, { offset: 4, revision: 7 });
    }
  });

  test("beyond the room's revision means a reset, with the last messages", async (t) => {
    const server = await start(t);
    const ada = await server.user("ada");
    const messages = await fill(ada, "den", 3);
    const joined = await done(ada, "join-room", { room: "den", since: 4 });
    assert.deepEqual([joined.reset, joined.more], [true, false]);
    assert.deepEqual(joined.messages, messages);
    const empty = await done(ada, "join-room", { room: "new", since: 1 });
    assert.deepEqual([empty.reset, empty.messages], [true, []]);
    const nothing = await done(ada, "join-room", { room: "newer", since: 0 });
    assert.deepEqual([nothing.reset, nothing.more, nothing.messages], [false, false, []]);
  });

  test("is answered in pages of 200 that together hold every message once", async (t) => {
    const server = await start(t, UNLIMITED);
    const ada = await server.user("ada");
    const posted = await fill(ada, "den", 450);
    await Promise.all(posted.slice(0, 30).map(({ id }) => done(ada, "edit-message", { id, edited: true })));
    await Promise.all(posted.slice(190, 210).map(({ id }) => done(ada, "delete-message", { id })));
    const messages = [];
    const lengths = [];
    for (let since = 0, more = true; more; since = messages.at(-1).revision) {
      const page = await done(ada, "join-room", { room: "den", since });
      messages.push(...page.messages);
      lengths.push(page.messages.length);
      ({ more } = page);
    }
    assert.deepEqual(lengths, [200, 200, 50]);
    const revisions = messages.map(({ revision }) => revision);
    assert.deepEqual(revisions, [...revisions].sort((a, b) => a - b));
    assert.equal(revisions.at(-1), 500);
    assert.deepEqual(offsets(messages).sort((a, b) => a - b), range(1, 450));
  });

  test("is optional: without it the reply has the last 50 messages", async (t) => {
    const server = await start(t, UNLIMITED);
    const ada = await server.user("ada");
    await fill(ada, "den", 50);
    assert.equal((await done(ada, "join-room", { room: "den" })).more, false);
    await fill(ada, "den", 10);
    const joined = await done(ada, "join-room", { room: "den" });
    assert.deepEqual(offsets(joined.messages), range(11, 60));
    assert.deepEqual([joined.more, joined.reset], [true, false]);
  });

  test("and events together miss nothing while others write", async (t) => {
    const server = await start(t, UNLIMITED);
    const [ada, bob] = [await server.user("ada"), await server.user("bob")];
    const writing = fill(ada, "den", 300);
    await done(ada, "load-messages", { room: "den" });
    const joined = await done(bob, "join-room", { room: "den", since: 0 });
    await writing;
    await fence(ada, bob);
    const events = untaken(bob, "message-saved").map(([, { message }]) => message);
    const caughtUp = [...joined.messages];
    for (let { more } = joined; more; ) {
      const page = await done(bob, "load-messages", { room: "den", after: caughtUp.at(-1).offset, limit: 200 });
      caughtUp.push(...page.messages);
      ({ more } = page);
    }
    const known = new Set(offsets([...caughtUp, ...events]));
    assert.deepEqual([...known].sort((a, b) => a - b), range(1, 300));
    const firstEvent = events[0]?.offset ?? joined.head.offset + 1;
    assert.ok(firstEvent <= joined.head.offset + 1, "what is above the head arrives as an event");
  });
});

describe("load-messages", () => {
  test("pages by offset in both directions, ascending", async (t) => {
    const server = await start(t, UNLIMITED);
    const ada = await server.user("ada");
    await fill(ada, "den", 120);
    const cases = [
      [{}, range(71, 120), true],
      [{ before: 71, limit: 30 }, range(41, 70), true],
      [{ before: 11 }, range(1, 10), false],
      [{ before: 1 }, [], false],
      [{ before: 1_000_000, limit: 1 }, [120], true],
      [{ after: 100, limit: 10 }, range(101, 110), true],
      [{ after: 110 }, range(111, 120), false],
      [{ after: 110, limit: 10 }, range(111, 120), false],
      [{ after: 120 }, [], false],
      [{ after: 0 }, range(1, 50), true],
      [{ limit: 120 }, range(1, 120), false],
      [{ limit: 1 }, [120], true],
    ];
    for (const [payload, expected, more] of cases) {
      const page = await done(ada, "load-messages", { room: "den", ...payload });
      assert.deepEqual([offsets(page.messages), page.more], [expected, more], JSON.stringify(payload));
      assert.deepEqual(Object.keys(page).sort(), ["messages", "more"]);
    }
  });

  test("returns at most 200", async (t) => {
    const server = await start(t, UNLIMITED);
    const ada = await server.user("ada");
    await fill(ada, "den", 210);
    const page = await done(ada, "load-messages", { room: "den", limit: 10_000 });
    assert.deepEqual([offsets(page.messages), page.more], [range(11, 210), true]);
  });

  test("returns edited messages and tombstones at their offsets", async (t) => {
    const server = await start(t);
    const ada = await server.user("ada");
    const [first, second, third] = await fill(ada, "den", 3);
    const edited = await done(ada, "edit-message", { id: first.id, n: "one" });
    const deleted = await done(ada, "delete-message", { id: second.id });
    const { messages } = await done(ada, "load-messages", { room: "den" });
    assert.deepEqual(messages, [edited, deleted, third]);
  });
});

test("acknowledged messages survive a kill of the server, and offsets continue", async (t) => {
  const server = await start(t, UNLIMITED);
  const saved = await fill(await server.user("ada"), "den", 100);
  await server.kill();
  await server.start();
  const ada = await server.user("ada");
  assert.deepEqual((await done(ada, "load-messages", { room: "den", limit: 200 })).messages, saved);
  assert.equal((await done(ada, "send-message", { room: "den" })).offset, 101);
});

test("every acknowledgement has the same form", async (t) => {
  const server = await start(t);
  const ada = await server.user("ada");
  const reply = await ask(ada, "send-message", { text: "x" });
  assert.deepEqual(Object.keys(reply).sort(), ["data", "success"]);
  const failure = await ask(ada, "send-message", { room: {} });
  assert.deepEqual(Object.keys(failure).sort(), ["error", "success"]);
});
