import assert from "node:assert/strict";
import { test } from "node:test";

import { conformance, FORGETFUL } from "./harness.js";
import { connect, join, reasonOf, WAYS } from "./session.js";
import { ask, assertRefused, NO_CODE, upgrade } from "./wire.js";

/** Returns what the client receives before the server closes the connection. */
async function untilClosed(session) {
  const heard = [];
  if (session.transport === "polling") {
    while (!heard.includes("1")) heard.push(...(await session.poll()));
    await session.closed();
    return heard.filter((packet) => packet !== "6").slice(0, -1);
  }
  for (;;) {
    const message = await session.websocket.next("the end");
    if (message.close !== undefined) {
      assert.equal(message.close, NO_CODE);
      await session.closed();
      return heard;
    }
    heard.push(message);
  }
}

conformance("closing", FORGETFUL, (server) => {
  for (const way of WAYS) {
    const over = `revision ${way.eio} over ${way.transport}`;

    test(`${over}: a DISCONNECT packet from the client leaves one namespace`, async () => {
      const main = await connect(server, way);
      const custom = await join(main.session, "/custom");
      await custom.session.send("41/custom,");
      assert.equal(await reasonOf(server, custom.id), "client namespace disconnect");
      await main.isAlive();
      await main.session.send("41");
      assert.equal(await reasonOf(server, main.id), "client namespace disconnect");
    });

    test(`${over}: disconnect(false) leaves one namespace and sends DISCONNECT`, async () => {
      const main = await connect(server, way);
      const custom = await join(main.session, "/custom");
      await custom.emit("disconnect-me", false);
      assert.equal(await main.session.next(), "41/custom,");
      assert.equal(await reasonOf(server, custom.id), "server namespace disconnect");
      await main.isAlive();
      await main.emit("disconnect-me", false);
      assert.equal(await main.session.next(), "41");
      assert.equal(await reasonOf(server, main.id), "server namespace disconnect");
      const again = await join(main.session, "/");
      await again.isAlive();
    });

    test(`${over}: disconnect(true) sends DISCONNECT for every namespace and closes the connection`, async () => {
      const main = await connect(server, way);
      const custom = await join(main.session, "/custom");
      await main.emit("disconnect-me", true);
      assert.deepEqual(await untilClosed(main.session), ["41", "41/custom,"]);
      assert.equal(await reasonOf(server, main.id), "server namespace disconnect");
      assert.equal(await reasonOf(server, custom.id), "server namespace disconnect");
    });

    test(`${over}: events emitted before a disconnect arrive before it`, async () => {
      const main = await connect(server, way);
      await main.session.send(...main.event(["burst", 100]), ...main.event(["disconnect-me", true]));
      const heard = await untilClosed(main.session);
      const ticks = heard.slice(0, -1).map((packet) => JSON.parse(packet.slice(2))[1]);
      assert.deepEqual(ticks, Array.from({ length: 100 }, (_, i) => i));
      assert.equal(heard.at(-1), "41");
    });

    test(`${over}: a normal close by the client is a transport close in all namespaces`, async () => {
      const main = await connect(server, way);
      const custom = await join(main.session, "/custom");
      await main.session.close();
      assert.equal(await reasonOf(server, main.id), "transport close");
      assert.equal(await reasonOf(server, custom.id), "transport close");
    });

    test(`${over}: events sent before a close are processed`, async () => {
      const listener = await connect(server, { namespace: "/dynamic-1" });
      await listener.ask("join", "room");
      const speaker = await connect(server, { ...way, namespace: "/dynamic-1" });
      const [said] = speaker.event(["say", { rooms: ["room"], event: "said", data: "last words" }], 1);
      await speaker.session.send(said);
      if (way.transport === "polling") await speaker.session.next();
      await speaker.session.close();
      await listener.receives("said", "last words");
    });

    test(`${over}: a disconnected socket is in no room`, async () => {
      // A namespace of its own: sockets of an earlier case may still be connected, and would be counted.
      const namespace = `/dynamic-2${WAYS.indexOf(way)}`;
      const gone = await connect(server, { ...way, namespace });
      await gone.ask("join", "room");
      const left = await connect(server, { namespace });
      await gone.session.close();
      assert.equal(await reasonOf(server, gone.id), "transport close");
      await left.session.send(...left.event(["ask-everyone", { data: 1, timeoutMs: 10_000 }], 5));
      await left.answer(await left.isAsked("question", 1), "alone");
      assert.equal(await left.session.next(), `43${namespace},5[["alone"]]`);
    });
  }

  test("revision 4: the id of a socket is public, that of its session is not", async () => {
    for (const way of WAYS.filter(({ eio }) => eio === 4)) {
      const { session, id } = await connect(server, way);
      assert.notEqual(id, session.sid);
      assertRefused(await ask(server, { query: { sid: id } }), 1, "Session ID unknown");
      assertRefused(await ask(server, { method: "POST", body: "1", query: { sid: id } }), 1, "Session ID unknown");
      const { status, body } = await upgrade(server, { query: { sid: id } });
      assert.deepEqual([status, body.toString()], [400, "Session ID unknown"]);
    }
  });
});
