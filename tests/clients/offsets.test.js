// Which clients get offsets, by settings and queries. Detection by handshake is tested in the conformance suite.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { GENERATIONS, TRANSPORTS, all, done, fence, start, upgraded } from "./harness.js";

/** The number of arguments of a relay with two of them, and whether the client has a pid. */
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
    test("the official client gets offsets, unless its query disables them", async (t) => {
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

    test("with recovery.clients = none, a client that asks for offsets gets them", async (t) => {
      const server = await start(t, { "recovery.clients": "none" });
      assert.deepEqual(await counted(server, await server.user("ada", { transports })), NOT_SENT);
      for (const recovery of ["true", "1"]) {
        assert.deepEqual(await counted(server, await server.user("ada", { transports, query: { recovery } })), SENT);
      }
    });

    test("with a window of 0, no client gets offsets, even if it asks", async (t) => {
      const server = await start(t, { "recovery.window": "0s" });
      const socket = await server.user("ada", { transports, query: { recovery: "true" } });
      assert.deepEqual(await counted(server, socket), NOT_SENT);
    });

    test("a client without offsets is not recovered and gets a new socket", async (t) => {
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

test("with recovery.clients = all, unknown clients get offsets too", async (t) => {
  const server = await start(t, { "recovery.clients": "all" });
  const headers = { "user-agent": "somebody" };
  const { frames } = await server.websocket(headers);
  assert.match(await frames.next("OPEN"), /^0\{/);
  const known = await server.websocket(headers);
  await known.frames.next("OPEN");
  known.socket.send("40");
  assert.match(await known.frames.take((text) => text.startsWith("40"), "CONNECT"), /"pid"/);
});

test("v2 clients never get offsets", async (t) => {
  const server = await start(t, { "recovery.clients": "all" });
  for (const transports of TRANSPORTS) {
    const socket = await server.user("ada", { generation: 2, transports, query: { userId: "ada", recovery: "true" } });
    const speaker = await server.user("speaker");
    speaker.emit("message", 1, 2);
    assert.deepEqual(await all(socket, "message"), [1, 2]);
  }
});

test("clients in one room get events with or without offsets individually, binary too", async (t) => {
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
