// Middleware of connections: its order, its refusals, what it sets, and that a recovery skips it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { conformance, PATIENT } from "./harness.js";
import { open, Socket, TRANSPORTS } from "./session.js";

const GATE = "/gate";
const ORDER = ["first", "second", "third"];

let number = 0;
const unique = (text) => `${text}-${number++}`;

/** Sends CONNECT with this `auth`; the answer is the next packet. */
async function knock(session, auth) {
  const socket = new Socket(session, GATE);
  await session.send(`40${GATE},${JSON.stringify(auth)}`);
  return { socket, packet: await socket.next("the answer to CONNECT") };
}

/** A socket that has been let in, with the packets of its connection handler read. */
async function enter(session, auth) {
  const { socket, packet } = await knock(session, auth);
  assert.equal(packet.type, "CONNECT", JSON.stringify(packet));
  Object.assign(socket, { id: packet.data.sid, pid: packet.data.pid });
  socket.offset = await socket.receives("welcome", ORDER, ["passed"]);
  return socket;
}

/** Waits until the server has noticed that a socket's connection is lost. */
async function isGone(watcher, { id }) {
  for (;;) {
    const { data } = await watcher.next();
    if (data[0] === "gone" && data[1] === id) return;
  }
}

const REFUSALS = {
  "an object": { code: 7, nested: [{ a: null }] },
  "a list": [1, "two"],
  "a text": "because",
  "a number": 42,
  zero: 0,
  false: false,
  "an empty text": "",
};

conformance("middleware", PATIENT, (server) => {
  for (const transport of TRANSPORTS) {
    test(`over ${transport}: middleware runs in its order, and sets data and rooms before the connection handler`, async () => {
      const socket = await enter(await open(server, { transport }), {});
      assert.deepEqual(await socket.ask("passed"), [ORDER]);
      assert.deepEqual(await socket.ask("rooms"), [["passed"]]);
      const speaker = await enter(await open(server), {});
      await speaker.emit("say-to-passed", "hello");
      for (const each of [socket, speaker]) await each.receives("said", "hello");
    });

    for (const [what, data] of Object.entries(REFUSALS)) {
      test(`over ${transport}: err.data is ${what}`, async () => {
        const { packet } = await knock(await open(server, { transport }), { refuse: data });
        assert.deepEqual([packet.type, packet.namespace], ["CONNECT_ERROR", GATE]);
        assert.deepEqual(packet.data, { message: "refused", data });
      });
    }

    test(`over ${transport}: a refusal without data`, async () => {
      const { packet } = await knock(await open(server, { transport }), { refuse: null });
      assert.deepEqual([packet.type, packet.data], ["CONNECT_ERROR", { message: "refused" }]);
    });

    test(`over ${transport}: later middleware does not run after a refusal, and a new CONNECT begins anew`, async () => {
      const session = await open(server, { transport });
      const name = unique("Ada");
      assert.equal((await knock(session, { name, refuse: 1 })).packet.type, "CONNECT_ERROR");
      assert.equal((await knock(session, { name, refuse: 1 })).packet.type, "CONNECT_ERROR");
      const socket = await enter(session, { name });
      assert.deepEqual(await socket.ask("passed"), [ORDER]);
      assert.deepEqual(await socket.ask("runs", name), [3]);
    });

    test(`over ${transport}: a refused client is in no room and gets no events`, async () => {
      const session = await open(server, { transport });
      assert.equal((await knock(session, { refuse: 1 })).packet.type, "CONNECT_ERROR");
      const speaker = await enter(await open(server), {});
      await speaker.ask("runs", "nobody");
      await speaker.emit("say-to-passed", "hello");
      await speaker.receives("said", "hello");
      // The first packet afterwards is the answer to a CONNECT.
      await enter(session, {});
    });

    test(`over ${transport}: a recovery skips middleware, and keeps data and rooms`, async () => {
      const name = unique("Eve");
      const watcher = await enter(await open(server), {});
      await watcher.ask("watch");
      const old = await enter(await open(server, { transport }), { name });
      await (transport === "polling" ? old.session.close() : old.session.websocket.end());
      await isGone(watcher, old);
      const session = await open(server, { transport });
      const { socket, packet } = await knock(session, { name, refuse: 1, pid: old.pid, offset: old.offset });
      assert.equal(packet.type, "CONNECT", JSON.stringify(packet));
      assert.deepEqual([packet.data.sid, packet.data.pid], [old.id, old.pid]);
      assert.deepEqual(await socket.ask("passed"), [ORDER]);
      assert.deepEqual(await socket.ask("rooms"), [["passed"]]);
      assert.deepEqual(await socket.ask("runs", name), [1]);
    });

    test(`over ${transport}: after a recovery that fails, middleware runs`, async () => {
      const session = await open(server, { transport });
      const name = unique("Bob");
      const { packet } = await knock(session, { name, refuse: "new", pid: "unknown", offset: "unknown" });
      assert.deepEqual(packet.data, { message: "refused", data: "new" });
      assert.deepEqual(await (await enter(session, { name })).ask("runs", name), [2]);
    });
  }
});
