// A backend emits events to members: POST /api/events and its batch.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { call, emit, newKey, refusal } from "./api.js";
import { all, done, inTime, missHeartbeat, once, start, untaken } from "./harness.js";

/** A server with a key that has all scopes, and clients of it. */
async function withKey(t, settings = {}) {
  const { key, settings: valid } = newKey();
  return { server: await start(t, { ...valid, ...settings }), key };
}

const EVERYONE = { everyone: true };

/** Emits a fence to everyone. Returns the numbers of the `tick` events that arrived before it. */
async function before(server, key, socket) {
  await emit(server, key, { event: "fence", to: EVERYONE });
  await once(socket, "fence");
  return untaken(socket, "tick").map(([, number]) => number);
}

describe("the receivers of an event", () => {
  test("are the sockets of rooms, users and socket ids, each once", async (t) => {
    const { server, key } = await withKey(t);
    const [ada, tablet, bob, eve] = [await server.user("ada"), await server.user("ada"), await server.user("bob"), await server.user("eve")];
    for (const socket of [ada, bob]) await done(socket, "join-room", { room: "tea" });
    const to = { rooms: ["tea", "nobody's"], users: ["ada", "ada"], sockets: [ada.session.socketId, "gone", "AAAAAAAAAAAAAAAA"] };
    assert.deepEqual(await emit(server, key, { event: "tick", data: 1, to }), { delivered: 3 });
    for (const socket of [ada, tablet, bob]) assert.deepEqual(await before(server, key, socket), [1]);
    assert.deepEqual(await before(server, key, eve), []);
  });

  test("exclude rooms, users and socket ids in except", async (t) => {
    const { server, key } = await withKey(t);
    const [ada, bob, eve, dan] = await Promise.all(["ada", "bob", "eve", "dan"].map((name) => server.user(name)));
    await done(ada, "join-room", { room: "tea" });
    const except = { rooms: ["tea"], users: ["bob"], sockets: [eve.session.socketId] };
    assert.deepEqual(await emit(server, key, { event: "tick", data: 1, to: EVERYONE, except }), { delivered: 1 });
    assert.deepEqual(await before(server, key, dan), [1]);
    for (const socket of [ada, bob, eve]) assert.deepEqual(await before(server, key, socket), []);
  });

  test("are in the main namespace only", async (t) => {
    const { server, key } = await withKey(t);
    const [status, code] = await refusal(server, key, { event: "tick", to: EVERYONE, namespace: "/elsewhere" });
    assert.deepEqual([status, code], [404, "not-found"]);
  });

  test("include a disconnected client when it is recovered, except for volatile events", async (t) => {
    const { server, key } = await withKey(t);
    const ada = await server.user("ada");
    await emit(server, key, { event: "tick", data: 0, to: { users: ["ada"] } });
    assert.equal(await once(ada, "tick"), 0);
    const gone = once(ada, "disconnect");
    missHeartbeat(ada);
    await gone;
    await server.logged({ message: "away" });
    assert.deepEqual(await emit(server, key, { event: "tick", data: 1, to: EVERYONE, volatile: true }), { delivered: 0 });
    assert.deepEqual(await emit(server, key, { event: "tick", data: 2, to: { users: ["ada"] } }), { delivered: 1 });
    ada.connect();
    assert.equal(await once(ada, "tick"), 2);
    assert.equal(ada.recovered, true);
  });
});

describe("the arguments of an event", () => {
  test("are data byte for byte, null, nothing, or several", async (t) => {
    const { server, key } = await withKey(t);
    const { frames, socket } = await server.websocket();
    await frames.take((frame) => frame.startsWith("0"), "OPEN");
    socket.send("40");
    await frames.take((frame) => frame.startsWith('42["session"'), "session");
    const cases = [
      ['"data": { "b" : 1.50, "a":"\\u00e9", "big": 12345678901234567890 }', '42["tick",{ "b" : 1.50, "a":"\\u00e9", "big": 12345678901234567890 }'],
      ['"data": null', '42["tick",null'],
      ['"args": [1, "two", {"three":3}]', '42["tick",1,"two",{"three":3}'],
      ['"args": []', '42["tick"'],
      ['"volatile": false', '42["tick"'],
    ];
    for (const [field, frame] of cases) {
      const { status } = await call(server, key, "POST", "/api/events", `{"event":"tick","to":{"everyone":true},${field}}`);
      assert.equal(status, 200);
      const heard = await frames.take((text) => text.startsWith('42["tick"'), frame);
      assert.match(heard.slice(frame.length), /^(,"[^"]*")?\]$/, `${heard} is ${frame} and an offset`);
      assert.ok(heard.startsWith(frame), heard);
    }
  });
});

describe("with ack", () => {
  test("each socket is asked once, and its answer or timeout is in the reply", async (t) => {
    const { server, key } = await withKey(t);
    const names = ["one", "several", "none", "silent", "binary", "leaves"];
    const sockets = Object.fromEntries(await Promise.all(names.map(async (name) => [name, await server.user(name)])));
    for (const socket of Object.values(sockets)) await done(socket, "join-room", { room: "tea" });
    sockets.one.on("question", (data, answer) => answer({ got: data }));
    sockets.several.on("question", (_, answer) => answer(1, "two"));
    sockets.none.on("question", (_, answer) => answer());
    sockets.binary.on("question", (_, answer) => answer(Buffer.from("x")));
    sockets.leaves.on("question", () => sockets.leaves.disconnect());
    const to = { rooms: ["tea", "lobby"], users: names };
    const { delivered, answers } = await emit(server, key, { event: "question", data: 7, to, ack: { timeoutMs: 5_000 } });
    assert.equal(delivered, names.length);
    const of = Object.fromEntries(answers.map(({ userId, socketId, ...answer }) => {
      assert.equal(socketId, sockets[userId].session.socketId);
      return [userId, answer];
    }));
    assert.deepEqual(of.one, { data: { got: 7 } });
    assert.deepEqual(of.several, { args: [1, "two"] });
    assert.deepEqual(of.none, { data: null });
    for (const [name, code] of [["silent", "unavailable"], ["leaves", "unavailable"], ["binary", "bad-payload"]]) {
      assert.deepEqual(Object.keys(of[name]), ["error"], name);
      assert.equal(of[name].error.code, code);
    }
    // An event with acknowledgement has no offset argument, as other events have.
    const [, ...args] = sockets.silent.inbox.items.find(([name]) => name === "question");
    assert.equal(args[0], 7);
  });

  test("more sockets than api.asked-sockets are refused", async (t) => {
    const { server, key } = await withKey(t, { "api.asked-sockets": 1 });
    const [ada, bob] = [await server.user("ada"), await server.user("bob")];
    const [status, code, message] = await refusal(server, key, { event: "tick", data: 1, to: EVERYONE, ack: { timeoutMs: 100 } });
    assert.deepEqual([status, code], [413, "too-large"]);
    assert.match(message, /api\.asked-sockets/);
    for (const socket of [ada, bob]) assert.deepEqual(await before(server, key, socket), []);
  });
});

describe("an idempotency key", () => {
  test("gives a retry the first reply without emitting again", async (t) => {
    const { server, key } = await withKey(t);
    const ada = await server.user("ada");
    const event = { event: "tick", data: 1, to: EVERYONE, idempotencyKey: "a" };
    const first = await emit(server, key, event);
    await server.user("bob");
    assert.deepEqual(await emit(server, key, event), first, "the first reply, though one more would hear it now");
    const spaced = JSON.stringify({ ...event, to: EVERYONE }, null, 2);
    assert.equal((await call(server, key, "POST", "/api/events", spaced)).status, 200, "the same, written otherwise");
    assert.deepEqual((await refusal(server, key, { ...event, data: 2 })).slice(0, 2), [409, "conflict"]);
    assert.deepEqual(await before(server, key, ada), [1]);
  });

  test("belongs to one API key", async (t) => {
    const [one, other] = [newKey("one"), newKey("other")];
    const server = await start(t, { ...one.settings, ...other.settings });
    const ada = await server.user("ada");
    await emit(server, one.key, { event: "tick", data: 1, to: EVERYONE, idempotencyKey: "a" });
    await emit(server, other.key, { event: "tick", data: 2, to: EVERYONE, idempotencyKey: "a" });
    assert.deepEqual(await before(server, one.key, ada), [1, 2]);
  });

  test("lets one of twenty concurrent requests emit, and the others wait for its reply", async (t) => {
    const { server, key } = await withKey(t);
    const ada = await server.user("ada");
    let asked = 0;
    ada.on("question", (answer) => {
      asked += 1;
      setTimeout(() => answer(asked), 300);
    });
    const event = { event: "question", to: EVERYONE, ack: { timeoutMs: 10_000 }, idempotencyKey: "a" };
    const replies = await Promise.all(Array.from({ length: 20 }, () => emit(server, key, event)));
    assert.equal(asked, 1);
    for (const reply of replies) assert.deepEqual(reply.answers[0].data, 1);
  });

  test("keeps the reply for a backend that disconnected while it waited", async (t) => {
    const { server, key } = await withKey(t);
    const ada = await server.user("ada");
    let asked = 0;
    const event = { event: "question", to: EVERYONE, ack: { timeoutMs: 10_000 }, idempotencyKey: "a" };
    const hangUp = new AbortController();
    const heard = new Promise((resolve) => {
      ada.on("question", (answer) => {
        asked += 1;
        resolve();
        setTimeout(() => answer("yes"), 300);
      });
    });
    const first = fetch(`${server.url}/api/events`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: JSON.stringify(event),
      signal: hangUp.signal,
    });
    first.catch(() => {});
    await inTime(heard, "the question");
    hangUp.abort();
    await assert.rejects(first);
    const { answers } = await emit(server, key, event);
    assert.equal(answers[0].data, "yes");
    assert.equal(asked, 1);
  });
});

describe("a batch", () => {
  test("is emitted and answered in order", async (t) => {
    const { server, key } = await withKey(t);
    const [ada, bob] = [await server.user("ada"), await server.user("bob")];
    const events = Array.from({ length: 100 }, (_, data) => ({ event: "tick", data, to: data % 2 ? EVERYONE : { users: ["ada"] } }));
    const { reply } = await call(server, key, "POST", "/api/events/batch", { events });
    assert.deepEqual(reply.data.results, events.map((_, n) => ({ delivered: n % 2 ? 2 : 1 })));
    assert.deepEqual(await before(server, key, ada), events.map(({ data }) => data));
    assert.equal((await before(server, key, bob)).length, 50);
  });

  test("is refused as a whole, with the index of the invalid event", async (t) => {
    const { server, key } = await withKey(t);
    const ada = await server.user("ada");
    const good = { event: "tick", data: 1, to: EVERYONE };
    await emit(server, key, { event: "other", to: EVERYONE, idempotencyKey: "taken" });
    const cases = [
      [{ ...good, to: {} }, 400, /^events\[1\]: to must name somebody/],
      [{ ...good, namespace: "/no" }, 404, /^events\[1\]: /],
      [{ ...good, ack: { timeoutMs: 5 } }, 400, /^events\[1\]: ack/],
      [{ ...good, idempotencyKey: "taken" }, 409, /"taken"/],
    ];
    for (const [wrong, status, message] of cases) {
      const answer = await call(server, key, "POST", "/api/events/batch", { events: [good, wrong] });
      assert.equal(answer.status, status);
      assert.match(answer.reply.error.message, message);
    }
    const twice = { ...good, idempotencyKey: "twice" };
    for (const events of [[], Array(101).fill(good), [twice, twice]]) {
      assert.equal((await call(server, key, "POST", "/api/events/batch", { events })).status, 400);
    }
    assert.deepEqual(await before(server, key, ada), []);
  });

  test("that is sent again emits only the events without a reply", async (t) => {
    const { server, key } = await withKey(t);
    const ada = await server.user("ada");
    const keyed = (data) => ({ event: "tick", data, to: EVERYONE, idempotencyKey: `tick ${data}` });
    for (const events of [[1, 2], [2, 1, 3]]) {
      const { status } = await call(server, key, "POST", "/api/events/batch", { events: events.map(keyed) });
      assert.equal(status, 200);
    }
    assert.deepEqual(await before(server, key, ada), [1, 2, 3]);
  });
});

test("an event that cannot be emitted is a bad-payload with the reason", async (t) => {
  const { server, key } = await withKey(t);
  const ada = await server.user("ada");
  const event = { event: "tick", data: 1, to: EVERYONE };
  const cases = [
    [{ ...event, event: "" }, /event's name must not be empty/],
    [{ ...event, event: "x".repeat(129) }, /128/],
    [{ ...event, event: "a\u0001" }, /control/],
    [{ ...event, event: "message-saved" }, /another name/],
    [{ ...event, event: "send-message" }, /another name/],
    [{ ...event, event: "connect_error" }, /another name/],
    [{ ...event, args: [1] }, /data or args/],
    [{ ...event, to: {} }, /name somebody/],
    [{ ...event, to: { everyone: false, rooms: [] } }, /name somebody/],
    [{ event: "tick" }, /^to is missing/],
    [{ to: EVERYONE }, /^event is missing/],
    [{ ...event, to: { rooms: ["\u0001dm:1:a:b"] } }, /control/],
    [{ ...event, to: { rooms: ["dm:ada"] } }, /users/],
    [{ ...event, to: { rooms: [""] } }, /empty/],
    [{ ...event, to: { users: ["\u0001"] } }, /control/],
    [{ ...event, to: EVERYONE, except: { rooms: ["\u0001x"] } }, /control/],
    [{ ...event, except: { everyone: true } }, /^except.everyone/],
    [{ ...event, to: { room: "tea" } }, /^to.room /],
    [{ ...event, rooms: ["tea"] }, /^rooms /],
    [{ ...event, ack: { timeoutMs: 0 } }, /timeoutMs/],
    [{ ...event, ack: { timeoutMs: 60_001 } }, /timeoutMs/],
    [{ ...event, ack: {} }, /timeoutMs/],
    [{ ...event, ack: { timeoutMs: 10 }, volatile: true }, /volatile/],
    [{ ...event, idempotencyKey: "" }, /idempotencyKey/],
    [{ ...event, idempotencyKey: "x".repeat(129) }, /idempotencyKey/],
  ];
  for (const [wrong, why] of cases) {
    const [status, code, message] = await refusal(server, key, wrong);
    assert.deepEqual([status, code], [400, "bad-payload"], JSON.stringify(wrong));
    assert.match(message, why);
  }
  assert.deepEqual(await before(server, key, ada), []);
});
