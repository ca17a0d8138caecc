// Who is sent offsets, as settings and queries say; the conformance suite has what handshakes show.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { GENERATIONS, TRANSPORTS, all, done, fence, start, upgraded } from "./harness.js";

/** How many arguments a client hears of a relay with two, and whether it knows how to come back. */
async function counted(server, socket) {
  await upgraded(socket);
  const speaker = await server.user("speaker");
  const heard = new Promise((resolve) => socket.onAny((...args) => args[0] === "message" && resolve(args.length - 1)));
  speaker.emit("message", 1, 2);
  return { args: await heard, hasPid: socket.offsets };
}

const SENT = { args: 3, hasPid: true };
const NOT_SENT = { args: 2, hasPid: false };

for (const transports of TRANSPORTS) {
  describe(`over ${transports.join(" and ")}`, () => {
    test("the official client is sent offsets, unless its query says no", async (t) => {
      const server = await start(t);
      for (const generation of [4, 3]) {
        const socket = await server.user("ada", { generation, transports });
        assert.deepEqual(await counted(server, socket), SENT);
        for (const recovery of ["false", "0"]) {
          const other = await server.user("bob", { generation, transports, query: { recovery } });
          assert.deepEqual(await counted(server, other), NOT_SENT);
        }
      }
    });

    test("where the setting says nobody, who asks for them is", async (t) => {
      const server = await start(t, { "recovery.clients": "none" });
      assert.deepEqual(await counted(server, await server.user("ada", { transports })), NOT_SENT);
      for (const recovery of ["true", "1"]) {
        assert.deepEqual(await counted(server, await server.user("ada", { transports, query: { recovery } })), SENT);
      }
    });

    test("where nothing is kept, nobody is, whatever the query says", async (t) => {
      const server = await start(t, { "recovery.window": "0s" });
      const socket = await server.user("ada", { transports, query: { recovery: "true" } });
      assert.deepEqual(await counted(server, socket), NOT_SENT);
    });

    test("who is not sent offsets is gone when it goes, and comes back as another", async (t) => {
      const server = await start(t);
      const socket = await server.user("ada", { transports, query: { recovery: "false" } });
      const { id } = socket;
      socket.io.engine.close();
      await server.logged({ message: "disconnected", socket: id });
      socket.connect();
      await all(socket, "session");
      assert.notEqual(socket.id, id);
      assert.ok(!socket.recovered);
    });
  });
}

test("where the setting says all, clients that are not known are sent offsets too", async (t) => {
  const server = await start(t, { "recovery.clients": "all" });
  const headers = { "user-agent": "somebody" };
  const { frames } = await server.websocket(headers);
  assert.match(await frames.next("OPEN"), /^0\{/);
  const known = await server.websocket(headers);
  await known.frames.next("OPEN");
  known.socket.send("40");
  assert.match(await known.frames.take((text) => text.startsWith("40"), "CONNECT"), /"pid"/);
});

test("v2 clients are sent none, whatever is said", async (t) => {
  const server = await start(t, { "recovery.clients": "all" });
  for (const transports of TRANSPORTS) {
    const socket = await server.user("ada", { generation: 2, transports, query: { userId: "ada", recovery: "true" } });
    const speaker = await server.user("speaker");
    speaker.emit("message", 1, 2);
    assert.deepEqual(await all(socket, "message"), [1, 2]);
  }
});

test("clients in one room hear each what is theirs, binary too", async (t) => {
  const server = await start(t, { "relay.message.to": "everyone", "relay.draw.to": "room", "relay.draw.field": "room" });
  const ways = GENERATIONS.flatMap((generation) => TRANSPORTS.map((transports) => ({ generation, transports })));
  const hearers = [];
  for (const way of ways) {
    for (const query of way.generation === 2 ? [undefined] : [undefined, { recovery: "false" }]) {
      const socket = await server.user("hearer", { ...way, ...(query && { query }) });
      await done(socket, "join-room", { room: "den" });
      hearers.push(socket);
    }
  }
  const speaker = hearers[0];
  speaker.emit("draw", { room: "den" }, Buffer.from([1, 2]), "text");
  await fence(speaker, ...hearers);
  for (const socket of hearers) {
    const drawn = socket.inbox.items.filter(([name]) => name === "draw");
    assert.equal(drawn.length, 1);
    const [, first, bytes, text, ...more] = drawn[0];
    assert.deepEqual([first, [...Buffer.from(bytes)], text, more], [{ room: "den" }, [1, 2], "text", []]);
  }
});
