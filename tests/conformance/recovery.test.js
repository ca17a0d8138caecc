import assert from "node:assert/strict";
import { test } from "node:test";

import { conformance, HASTY, PATIENT } from "./harness.js";
import { connect, decode, open, reasonOf, Socket, TRANSPORTS } from "./session.js";
import { call } from "./wire.js";

const BYTES = Buffer.of(0, 4, 30, 255);

/**
 * A client in a room that has received an event there, and a speaker that broadcasts; acknowledged when the broadcast
 * is done.
 */
async function pair(server, options) {
  const speaker = await connect(server);
  const say = (data, to = { rooms: ["room"] }) => speaker.ask("say", { event: "said", data, ...to });
  const socket = await connect(server, options);
  await socket.ask("join", "room");
  await say("before");
  socket.offset = await socket.receives("said", "before");
  return { socket, say, speaker };
}

/** Breaks the connection, for the nth time, and waits until the server has noticed. */
async function dropped(server, socket, times = 1) {
  if (socket.session.transport === "polling") await socket.session.close();
  else socket.session.websocket.end();
  assert.equal(await reasonOf(server, socket.id, times), "transport close");
}

/**
 * Reconnects with this payload of CONNECT. Returns the events received before the answer, and the new client. The
 * `welcome` of a new socket is among the events received next.
 */
async function back(server, auth, { transport, namespace = "/" } = {}) {
  const session = await open(server, { transport });
  const socket = new Socket(session, namespace);
  await session.send(`40${socket.prefix}${JSON.stringify(auth)}`);
  const missed = [];
  for (;;) {
    const packet = await socket.next();
    if (packet.type === "EVENT") {
      missed.push(packet.data);
    } else {
      assert.equal(packet.type, "CONNECT");
      return { missed, socket: Object.assign(socket, { id: packet.data.sid, pid: packet.data.pid }) };
    }
  }
}

/** Asserts that it is a new socket, which received no event that the old one missed. */
async function assertNew({ missed, socket }, old) {
  assert.deepEqual(missed, []);
  assert.notEqual(socket.id, old.id);
  assert.notEqual(socket.pid, old.pid);
  const { data } = await socket.next();
  assert.equal(data[0], "welcome");
  assert.deepEqual(await socket.ask("rooms"), [[]]);
}

conformance("recovery", PATIENT, (server) => {
  for (const transport of TRANSPORTS) {
    test(`over ${transport}: missed events arrive before the answer to CONNECT, and id, pid and rooms are the same`, async () => {
      const { socket: old, say, speaker } = await pair(server, { transport });
      await dropped(server, old);
      await say("to its room");
      await say("to everybody", { rooms: [], except: [speaker.id] });
      await say("to its id", { rooms: [old.id] });
      await say("to another room", { rooms: ["elsewhere"] });
      await say("to all but its room", { rooms: [], except: ["room", speaker.id] });
      await say(BYTES);
      const { missed, socket } = await back(server, { pid: old.pid, offset: old.offset }, { transport });
      const heard = missed.map(([event, data]) => [event, data]);
      assert.deepEqual(heard, ["to its room", "to everybody", "to its id", BYTES].map((data) => ["said", data]));
      assert.equal(new Set([old.offset, ...missed.map(([, , offset]) => offset)]).size, 5, "offsets of their own");
      assert.deepEqual([socket.id, socket.pid], [old.id, old.pid]);
      assert.deepEqual(await socket.ask("rooms"), [["room"]]);
      assert.deepEqual(await socket.ask("id"), [old.id]);
      await say("live again");
      await socket.receives("said", "live again");
    });

    test(`over ${transport}: a client that missed nothing gets no event again`, async () => {
      const { socket: old } = await pair(server, { transport });
      await dropped(server, old);
      const { missed, socket } = await back(server, { pid: old.pid, offset: old.offset }, { transport });
      assert.deepEqual(missed, []);
      assert.deepEqual([socket.id, socket.pid], [old.id, old.pid]);
      await socket.isAlive();
    });

    test(`over ${transport}: an older offset replays all events after it`, async () => {
      const { socket: old, say } = await pair(server, { transport });
      await say("heard already");
      await old.receives("said", "heard already");
      await dropped(server, old);
      await say("missed");
      const { missed } = await back(server, { pid: old.pid, offset: old.offset }, { transport });
      assert.deepEqual(missed.map(([, data]) => data), ["heard already", "missed"]);
    });

    test(`over ${transport}: a socket is recovered repeatedly`, async () => {
      const { socket: first, say } = await pair(server, { transport });
      let [old, { offset }] = [first, first];
      for (let i = 0; i < 3; i++) {
        await dropped(server, old, i + 1);
        await say(i);
        const { missed, socket } = await back(server, { pid: first.pid, offset }, { transport });
        assert.deepEqual(missed.map(([, data]) => data), [i]);
        assert.deepEqual([socket.id, socket.pid], [first.id, first.pid]);
        old = socket;
        offset = missed[0][2];
      }
    });

    test(`over ${transport}: an offset can be used twice if no event came after it`, async () => {
      const { socket: old } = await pair(server, { transport });
      await dropped(server, old);
      const auth = { pid: old.pid, offset: old.offset };
      const { socket } = await back(server, auth, { transport });
      await dropped(server, socket, 2);
      const again = await back(server, auth, { transport });
      assert.equal(again.socket.id, old.id);
    });
  }

  test("the transport may change", async () => {
    for (const [from, to] of [TRANSPORTS, [...TRANSPORTS].reverse()]) {
      const { socket: old, say } = await pair(server, { transport: from });
      await dropped(server, old);
      await say("missed");
      const { missed, socket } = await back(server, { pid: old.pid, offset: old.offset }, { transport: to });
      assert.deepEqual(missed.map(([, data]) => data), ["missed"]);
      assert.equal(socket.id, old.id);
    }
  });

  test("a session ended by a broken poll is recovered", async () => {
    const { socket: old, say } = await pair(server, { transport: "polling" });
    const { request } = call(server, { query: old.session.query });
    request.on("error", () => {});
    await old.session.send("6");
    request.destroy();
    assert.equal(await reasonOf(server, old.id), "transport error");
    await say("missed");
    const { missed, socket } = await back(server, { pid: old.pid, offset: old.offset });
    assert.deepEqual(missed.map(([, data]) => data), ["missed"]);
    assert.equal(socket.id, old.id);
  });

  test("a session closed for invalid input is recovered", async () => {
    const { socket: old } = await pair(server);
    await old.session.send("42[]");
    await old.session.closed();
    const { socket } = await back(server, { pid: old.pid, offset: old.offset });
    assert.equal(socket.id, old.id);
  });

  test("a namespace of its own is recovered like the main one", async () => {
    const namespace = "/custom";
    const old = await connect(server, { namespace });
    const speaker = await connect(server, { namespace });
    await dropped(server, old);
    await speaker.ask("say", { rooms: [old.id], event: "said", data: "missed" });
    const { missed, socket } = await back(server, { pid: old.pid, offset: old.offset }, { namespace });
    assert.deepEqual(missed.map(([, data]) => data), ["missed"]);
    assert.equal(socket.id, old.id);
  });

  test("the connection handler runs again, and knows that the socket is recovered", async () => {
    const old = await back(server, {}, { namespace: "/api" });
    const offset = await old.socket.receives("welcome", { recovered: false });
    old.socket.session.websocket.end();
    // Until the server has noticed that the connection is gone.
    for (;;) {
      const { socket } = await back(server, { pid: old.socket.pid, offset }, { namespace: "/api" });
      if (socket.id === old.socket.id) {
        await socket.receives("welcome", { recovered: true });
        break;
      }
      await socket.receives("welcome", { recovered: false });
      await socket.session.close();
    }
  });

  test("other fields of CONNECT are left to the application, and middleware does not run again", async () => {
    const { socket: old } = await pair(server);
    await dropped(server, old);
    const { socket } = await back(server, { token: "refuse", pid: old.pid, offset: old.offset });
    assert.equal(socket.id, old.id);
  });

  test("an unknown pid creates a new socket", async () => {
    const { socket: old } = await pair(server);
    await dropped(server, old);
    await assertNew(await back(server, { pid: "nobody", offset: old.offset }), old);
  });

  test("an unknown offset creates a new socket", async () => {
    const { socket: old } = await pair(server);
    await dropped(server, old);
    await assertNew(await back(server, { pid: old.pid, offset: "never" }), old);
  });

  test("a pid and an offset that are no strings create a new socket", async () => {
    const { socket: old } = await pair(server);
    await dropped(server, old);
    await assertNew(await back(server, { pid: 1, offset: 2 }), old);
    await assertNew(await back(server, { pid: [old.pid], offset: { offset: old.offset } }), old);
  });

  test("the pid of one namespace is unknown in another", async () => {
    const { socket: old } = await pair(server);
    await dropped(server, old);
    await assertNew(await back(server, { pid: old.pid, offset: old.offset }, { namespace: "/custom" }), old);
  });

  test("a socket that sent DISCONNECT is not recovered", async () => {
    const { socket: old } = await pair(server);
    await old.session.send("41");
    assert.equal(await reasonOf(server, old.id), "client namespace disconnect");
    await assertNew(await back(server, { pid: old.pid, offset: old.offset }), old);
  });

  for (const close of [false, true]) {
    test(`a socket disconnected by disconnect(${close}) is not recovered`, async () => {
      const { socket: old } = await pair(server);
      await old.emit("disconnect-me", close);
      assert.equal(await reasonOf(server, old.id), "server namespace disconnect");
      await assertNew(await back(server, { pid: old.pid, offset: old.offset }), old);
    });
  }

  test("an event with acknowledgement emitted meanwhile is not replayed", async () => {
    const { socket: old, say, speaker } = await pair(server);
    await dropped(server, old);
    await speaker.session.send(...speaker.event(["ask-everyone", { data: "who?", timeoutMs: 200 }], 50));
    await speaker.isAsked("question", "who?");
    await speaker.next("the acknowledgement");
    await say("missed");
    const { missed } = await back(server, { pid: old.pid, offset: old.offset });
    assert.deepEqual(missed.map(([event, data]) => [event, data]), [["said", "missed"]]);
  });

  test("an event emitted during the recovery arrives once", async () => {
    const { socket: old, say } = await pair(server);
    await dropped(server, old);
    const speaking = (async () => {
      for (let i = 0; i < 200; i++) await say(i);
    })();
    const { missed, socket } = await back(server, { pid: old.pid, offset: old.offset });
    const heard = missed.map(([, data]) => data);
    while (heard.length < 200) heard.push((await socket.next()).data[1]);
    await speaking;
    assert.deepEqual(heard, Array.from({ length: 200 }, (_, i) => i));
    await socket.isAlive();
  });

  test("a reconnect while the old connection hangs: Node creates a new socket, sockeye drops the old connection and recovers", async () => {
    const { socket: old, say } = await pair(server);
    const { socket } = await back(server, { pid: old.pid, offset: old.offset });
    const isSame = socket.id === old.id;
    assert.equal(isSame, server.expects({ node: false, sockeye: true }));
    if (isSame) {
      await old.session.closed();
      assert.deepEqual(await socket.ask("rooms"), [["room"]]);
      await say("once");
      await socket.receives("said", "once");
    }
  });

  test("a pid without an offset, before the first event: Node creates a new socket, sockeye recovers", async () => {
    const speaker = await connect(server);
    const old = await connect(server);
    await dropped(server, old);
    await speaker.ask("say", { rooms: [old.id], event: "said", data: "missed" });
    const { missed, socket } = await back(server, { pid: old.pid });
    const isSame = socket.id === old.id;
    assert.equal(isSame, server.expects({ node: false, sockeye: true }));
    if (isSame) assert.deepEqual(missed.at(-1).slice(0, 2), ["said", "missed"]);
  });

  test("a volatile event: Node gives it no offset, sockeye does", async () => {
    const { socket, say } = await pair(server);
    await say("now", { rooms: ["room"], volatile: true });
    const packet = decode(await socket.session.next());
    assert.deepEqual(packet.data.slice(0, 2), ["said", "now"]);
    const offset = server.expects({ node: "undefined", sockeye: "string" });
    assert.equal(typeof packet.data[2], offset);
  });
});

conformance("recovery after silence", { ...PATIENT, ...HASTY }, (server) => {
  test("a session ended by a ping timeout is recovered", async () => {
    const old = await connect(server);
    old.session.answersPings = false;
    await old.session.closed();
    assert.equal(await reasonOf(server, old.id), "ping timeout");
    const speaker = await connect(server);
    await speaker.ask("say", { rooms: [old.id], event: "said", data: "missed" });
    const { missed, socket } = await back(server, { pid: old.pid, offset: old.offset });
    assert.deepEqual(missed.map(([, data]) => data), ["missed"]);
    assert.equal(socket.id, old.id);
  });
});
