// Unusual and invalid input from clients and backends, and its effect on official clients.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import Pusher from "pusher";

import { call, emit, newKey, refusal } from "./api.js";
import { GENERATIONS, METRICS, all, ask, done, established, fence, once, refused, start, untaken } from "./harness.js";
import { Plain } from "./plain.js";

/** A text that ends in the middle of a surrogate pair. */
const HALF = "cut \u{1f600}".slice(0, 5);

/** Compares values that are nested too deeply for `deepEqual`. */
const assertSame = (heard, expected) => assert.equal(JSON.stringify(heard), JSON.stringify(expected));

const nested = (levels) => JSON.parse("[".repeat(levels) + "]".repeat(levels));

async function withKey(t, settings = {}) {
  const { key, settings: valid } = newKey();
  return { server: await start(t, { ...valid, ...settings }), key };
}

/** The error message must name the field, and must not contain text of a parser. */
function assertSentence(sentence, field) {
  assert.ok(sentence.includes(field), `${sentence} names ${field}`);
  assert.doesNotMatch(sentence, /deserialize|invalid type|expected|struct|u64|digit|line \d+ column/);
}

describe("more attachments than clients accept", () => {
  for (const generation of GENERATIONS) {
    test(`a v${generation} guest that sends eleven is disconnected, and no other client`, async (t) => {
      const server = await start(t);
      const listeners = [await server.user("ada"), await server.user("bob", { generation: 3 })];
      const guest = await server.connect({ generation });
      guest.emit("message", ...Array.from({ length: 11 }, () => Buffer.from("x")));
      await once(guest, "disconnect");
      await fence(listeners[0], ...listeners);
      for (const socket of listeners) assert.deepEqual(untaken(socket, "message", "disconnect"), []);
    });
  }

  test("ten are relayed", async (t) => {
    const server = await start(t);
    const [ada, bob] = [await server.user("ada"), await server.user("bob")];
    ada.emit("message", ...Array.from({ length: 10 }, () => Buffer.from("x")));
    assert.equal((await all(bob, "message")).length, 10);
  });
});

test("an event that breaks its client is replayed twice, then the client gets a new session", async (t) => {
  // An operator may allow more attachments than the JavaScript clients accept.
  const relays = { "relay.message.to": "everyone", "relay.picture.to": "others" };
  const server = await start(t, { ...METRICS, ...relays, "limits.attachments": 20 });
  const ada = server.client({ auth: { userId: "ada", name: "Ada" }, reconnection: true, reconnectionDelay: 1, reconnectionDelayMax: 1 });
  await established(ada);
  const bob = await server.user("bob");
  const poison = Array.from({ length: 11 }, () => Buffer.from("x"));
  assert.equal((await ask(bob, "picture", ...poison)).success, true);
  const session = await once(ada, "session");
  assert.notEqual(session.socketId, ada.session.socketId, "another socket");
  await server.reaches('sockeye_recoveries_total{outcome="broken"}', 1);
  assert.equal(await server.metric('sockeye_recoveries_total{outcome="recovered"}'), 2);
  await ask(bob, "message", "after it");
  assert.equal(await once(ada, "message"), "after it", "she goes on");
});

describe("a lone surrogate", () => {
  test("is accepted in auth, in saved and relayed events, in acknowledgements, and beside binary", async (t) => {
    const { server, key } = await withKey(t);
    const ada = await server.connect({ auth: { userId: "ada", name: HALF, more: { [HALF]: HALF } } });
    assert.equal(ada.session.user.name, "cut \ufffd", "as it is written as UTF-8");
    const bob = await server.user("bob");
    const { id } = await done(ada, "send-message", { text: HALF, [HALF]: 1 });
    assert.deepEqual((await once(bob, "message-saved")).message.body, { text: HALF, [HALF]: 1 });
    await done(ada, "edit-message", { id, text: HALF });
    assert.equal((await once(bob, "message-edited")).message.body.text, HALF);
    const { messages } = await done(bob, "join-room", { room: "lobby" });
    assert.equal(messages[0].body.text, HALF);
    ada.emit("message", HALF, Buffer.from("x"));
    const [text, binary] = await all(bob, "message");
    assert.deepEqual([text, [...binary]], [HALF, [120]]);
    bob.on("question", (answer) => answer({ text: HALF }));
    const { answers } = await emit(server, key, { event: "question", to: { users: ["bob"] }, ack: { timeoutMs: 15_000 } });
    assert.deepEqual(answers[0].data, { text: HALF });
    await done(ada, "join-room", { room: "tea", note: HALF, [HALF]: 1 });
  });

  test("is refused in an id, a room's name or an idempotency key, where it could be confused with another", async (t) => {
    const { server, key } = await withKey(t, { "relay.draw.to": "room", "relay.draw.field": "board" });
    assert.equal(await server.refusal({ auth: { userId: HALF } }), "bad-payload");
    const ada = await server.user("ada");
    for (const [event, payload] of [
      ["join-room", { room: HALF }],
      ["send-message", { room: HALF, text: "x" }],
      ["send-message", { to: HALF, text: "x" }],
      ["send-message", { idempotencyKey: HALF, text: "x" }],
      ["draw", { board: HALF }],
    ]) {
      assert.equal(await refused(ada, event, payload), "bad-payload", JSON.stringify(payload));
    }
    for (const body of [
      { room: HALF, body: {} },
      { idempotencyKey: HALF, body: {} },
      { from: { id: HALF }, body: {} },
    ]) {
      assert.equal((await call(server, key, "POST", "/api/messages", body)).status, 400, JSON.stringify(body));
    }
    for (const event of [{ to: { users: [HALF] } }, { to: { everyone: true }, idempotencyKey: HALF }]) {
      assert.equal((await call(server, key, "POST", "/api/events", { event: "tick", ...event })).status, 400);
    }
    assert.equal((await done(ada, "send-message", { idempotencyKey: "\u{1f600}", text: "x" })).from.id, "ada");
  });

  test("is accepted from a backend", async (t) => {
    const { server, key } = await withKey(t);
    const ada = await server.user("ada");
    await emit(server, key, { event: "tick", data: { text: HALF }, to: { everyone: true } });
    assert.deepEqual(await once(ada, "tick"), { text: HALF });
    const { reply } = await call(server, key, "POST", "/api/messages", { body: { text: HALF } });
    assert.equal(reply.data.body.text, HALF);
  });

  test("is accepted to and from plain WebSocket clients", async (t) => {
    const server = await start(t);
    const [ada, bob] = [await server.user("ada"), await Plain.user(server, "bob")];
    ada.emit("message", HALF, Buffer.from("x"), nested(500));
    assert.deepEqual(await bob.event("message"), [HALF, "eA==", nested(500)]);
    await bob.done("message", HALF);
    assert.equal(await once(ada, "message", (text) => text === HALF), HALF);
  });
});

describe("nesting", () => {
  test("of 1,000 levels is saved, relayed and emitted, and of 1,001 refused", async (t) => {
    const { server, key } = await withKey(t);
    const [ada, bob] = [await server.user("ada"), await server.user("bob")];
    await done(ada, "send-message", { deep: nested(999) });
    assertSame((await once(bob, "message-saved")).message.body.deep, nested(999));
    assert.deepEqual(await ask(ada, "message", nested(1_000)), { success: true, data: null });
    assertSame(await once(bob, "message"), nested(1_000));
    assert.equal(await refused(ada, "send-message", { deep: nested(1_000) }), "bad-payload");
    assert.equal(await refused(ada, "message", nested(1_001)), "bad-payload");
    assert.equal(await refused(ada, "message", Buffer.from("x"), nested(1_001)), "bad-payload");
    assert.equal(await refused(ada, "join-room", { room: "tea", deep: nested(2_000) }), "bad-payload");
    await emit(server, key, { event: "tick", data: nested(1_000), to: { everyone: true } });
    assertSame(await once(bob, "tick"), nested(1_000));
    for (const event of [{ data: nested(1_001) }, { args: [1, nested(1_001)] }]) {
      const [status, code] = await refusal(server, key, { event: "tick", to: { everyone: true }, ...event });
      assert.deepEqual([status, code], [400, "bad-payload"]);
    }
    const { status } = await call(server, key, "POST", "/api/messages", { body: { deep: nested(1_000) } });
    assert.equal(status, 400);
    bob.on("question", (answer) => answer(nested(1_001)));
    const { answers } = await emit(server, key, { event: "question", to: { users: ["bob"] }, ack: { timeoutMs: 15_000 } });
    assert.equal(answers[0].error.code, "bad-payload");
    await fence(ada, bob);
    assert.deepEqual(untaken(bob, "message", "message-saved", "tick"), []);
  });

  test("of Pusher's data counts as that of a payload", async (t) => {
    const secret = "7ad3773142a6692b25b8";
    const server = await start(t, { "pusher.app-id": "3", "pusher.key": "k", "pusher.secret": secret });
    const ada = await server.user("ada");
    await done(ada, "join-room", { room: "7" });
    const pusher = new Pusher({ appId: "3", key: "k", secret, host: "127.0.0.1", port: String(server.port), useTLS: false });
    await assert.rejects(pusher.trigger("7", "tick", nested(1_001)), ({ status }) => status === 400);
    await pusher.trigger("7", "tick", [HALF, nested(999)]);
    assertSame(await once(ada, "tick"), [HALF, nested(999)]);
  });
});

describe("a backend's fields", () => {
  test("may be whole numbers for ids and rooms, but no other type", async (t) => {
    const { server, key } = await withKey(t);
    const ada = await server.user("7");
    await done(ada, "join-room", { room: 12 });
    for (const to of [{ users: [7] }, { users: ["7"] }, { rooms: [12] }, { rooms: ["12"] }]) {
      assert.deepEqual(await emit(server, key, { event: "tick", data: to, to }), { delivered: 1 });
      assert.deepEqual(await once(ada, "tick"), to);
    }
    const body = { text: "hello" };
    const { reply } = await call(server, key, "POST", "/api/messages", { from: { id: 8 }, to: 7, body });
    assert.deepEqual([reply.data.from.id, reply.data.room], ["8", "dm:7"]);
    for (const id of ["7.0", "7e0", "null", "true", "[7]", '{"id":7}', "12345678901234567890"]) {
      const users = `{"event":"tick","to":{"users":["a",${id}]}}`;
      const rooms = `{"event":"tick","to":{"rooms":[${id}]}}`;
      const except = `{"event":"tick","to":{"everyone":true},"except":{"users":[${id}]}}`;
      for (const [field, event] of [["to.users[1]", users], ["to.rooms[0]", rooms], ["except.users[0]", except]]) {
        const [status, code, sentence] = await refusal(server, key, event);
        assert.deepEqual([status, code], [400, "bad-payload"], event);
        assertSentence(sentence, field);
      }
      for (const field of ["room", "to", "from"]) {
        const { status, reply } = await call(server, key, "POST", "/api/messages", `{"${field}":${id},"body":{}}`);
        if (field === "from" && id.startsWith("{")) continue;
        assert.equal(status, 400, field);
        assertSentence(reply.error.message, field);
      }
    }
    await emit(server, key, { event: "fence", to: { everyone: true } });
    await once(ada, "fence");
    assert.deepEqual(untaken(ada, "tick"), []);
  });

  const everyone = { everyone: true };
  for (const [field, event] of [
    ["event", { to: everyone }],
    ["event", { event: 7, to: everyone }],
    ["to", { event: "tick" }],
    ["to", { event: "tick", to: "everyone" }],
    ["to", { event: "tick", to: [["tea"]] }],
    ["to.everyone", { event: "tick", to: { everyone: "yes" } }],
    ["to.room", { event: "tick", to: { room: "tea" } }],
    ["to.rooms", { event: "tick", to: { rooms: "tea" } }],
    ["to.rooms[0]", { event: "tick", to: { rooms: ["dm:bob"] } }],
    ["to.users[0]", { event: "tick", to: { users: [""] } }],
    ["except.sockets[0]", { event: "tick", to: everyone, except: { sockets: [7] } }],
    ["volatile", { event: "tick", to: everyone, volatile: 1 }],
    ["args", { event: "tick", to: everyone, args: {} }],
    ["ack.timeoutMs", { event: "tick", to: everyone, ack: { timeoutMs: "1" } }],
    ["ack.timeoutMs", { event: "tick", to: everyone, ack: {} }],
    ["namespace", { event: "tick", to: everyone, namespace: null }],
    ["the body", []],
    ["the body", "{"],
    ["the body", ""],
  ]) {
    test(`an error names ${field}: ${JSON.stringify(event)}`, async (t) => {
      const { server, key } = await withKey(t);
      const [status, code, sentence] = await refusal(server, key, event);
      assert.deepEqual([status, code], [400, "bad-payload"]);
      assertSentence(sentence.replace(/ \(line \d+, column \d+\)/, ""), field);
    });
  }

  test("errors in paths and queries name the field", async (t) => {
    const { server, key } = await withKey(t);
    for (const [field, path] of [
      ["limit", "/api/rooms?limit=x"],
      ["limit", "/api/rooms?limit=-1"],
      ["limit", "/api/rooms?limit=1.0"],
      ["limit", "/api/rooms?limit=1&limit=2"],
      ["after", "/api/users?after=%01"],
      ["online", "/api/users?online=yes"],
      ["before", "/api/messages?room=tea&before=last"],
      ["room", "/api/messages?room="],
      ["id", "/api/messages/x"],
      ["id", "/api/users/%01"],
      ["room", "/api/rooms/dm:bob"],
    ]) {
      const { status, reply } = await call(server, key, "GET", path);
      assert.deepEqual([status, reply.error.code], [400, "bad-payload"], path);
      assertSentence(reply.error.message, field);
    }
  });

  test("must not be an array for a message body", async (t) => {
    const { server, key } = await withKey(t);
    const { status, reply } = await call(server, key, "POST", "/api/messages", { body: [1, 2] });
    assert.deepEqual([status, reply.error.code], [400, "bad-payload"]);
    const saved = await call(server, key, "POST", "/api/messages", { body: "plain" });
    assert.deepEqual([saved.status, saved.reply.data.body], [201, { value: "plain" }]);
    const path = `/api/messages/${saved.reply.data.id}`;
    assert.equal((await call(server, key, "PATCH", path, { body: [] })).status, 400);
  });
});

test("an envelope with a field of the wrong type is answered with an error, and its client stays connected", async (t) => {
  const server = await start(t);
  const bob = await Plain.connect(server);
  for (const [field, envelope] of [
    ["event", { eventType: "ClientEvent" }],
    ["event", { eventType: "ClientEvent", event: 7 }],
    ["requestId", { eventType: "ClientEvent", event: "ListRooms", requestId: {} }],
    ["requestId", { eventType: "Reply", requestId: "x" }],
    ["requestData", { eventType: "ClientEvent", event: "Register", requestData: [] }],
    ["userId", { eventType: "ClientEvent", event: "Register", requestData: { userId: [] } }],
  ]) {
    bob.send(JSON.stringify(envelope));
    const { success, error } = await bob.inbox.take((item) => item.eventType === "Reply", "an answer");
    assert.deepEqual([success, error.code], [false, "bad-payload"], JSON.stringify(envelope));
    assertSentence(error.message, field);
  }
  await bob.done("Register", { userId: 7 });
  assert.match((await bob.ask("JoinRoom", { room: [] })).error.message, /^join-room: room must be/);
});

describe("the log", () => {
  test("contains one line per reason for refused events without acknowledgement", async (t) => {
    const server = await start(t);
    const ada = await server.user("ada");
    for (let round = 0; round < 3; round += 1) {
      ada.emit("join-room", { room: [] });
      ada.emit("nothing\nlevel=error", 1);
      await once(ada, "event-error");
      await once(ada, "event-error");
    }
    await refused(ada, "list-users", { room: {} });
    ada.disconnect();
    await server.logged({ message: "disconnected" });
    const lines = server.stderr.split("\n").filter((line) => line.includes("an event was refused"));
    const said = lines.map((line) => JSON.parse(line)).map(({ level, event, code }) => [level, event, code]);
    assert.deepEqual(said, [
      ["INFO", "join-room", "bad-payload"],
      ["INFO", "nothing\nlevel=error", "unknown-event"],
    ]);
  });

  test("contains one line about clients with the user id undefined, which are guests", async (t) => {
    const server = await start(t);
    for (const auth of [{ userId: "undefined" }, { userId: "null" }, { name: "undefined" }]) {
      const socket = await server.connect({ auth });
      assert.match(socket.session.user.id, /^guest-/);
    }
    const legacy = await server.connect({ generation: 2, auth: { userId: undefined, name: null } });
    assert.match(legacy.session.user.id, /^guest-/);
    assert.equal(server.stderr.split("such clients are guests").length - 1, 1);
  });
});
