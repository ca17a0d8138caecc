import assert from "node:assert/strict";
import { test } from "node:test";

import { conformance, PATIENT } from "./harness.js";
import { connect, join, open, WAYS } from "./session.js";

/** Values that JSON can contain and that implementations get wrong. */
const VALUES = [
  null,
  true,
  0,
  -1.5,
  1e300,
  9_007_199_254_740_991,
  "",
  "é \u2028 😀 \u0000 \u001e \\ \" 日本",
  [],
  [[[]]],
  {},
  { z: 1, a: { nested: [null, { deep: "er" }] }, "": "no name" },
];

/** The packets that arrive before the answer to a packet sent now. */
async function heardBefore(socket) {
  await socket.session.send(...socket.event(["echo"], 2_000));
  const heard = [];
  for (;;) {
    const packet = await socket.next();
    if (packet.id === 2_000) return heard;
    heard.push(packet);
  }
}

conformance("packets", PATIENT, (server) => {
  for (const way of WAYS) {
    const over = `revision ${way.eio} over ${way.transport}`;

    test(`${over}: CONNECT and its answer have the form that the protocol requires`, async () => {
      const session = await open(server, way);
      if (way.eio === 4) {
        await session.send("40");
        assert.match(await session.next(), /^40\{"sid":"[\w-]+","pid":"[\w-]+"\}$/);
      } else {
        assert.equal(await session.next(), "40", "nobody asks for the main namespace");
      }
      assert.match(await session.next(), /^42\["welcome",\{\}/);
    });

    test(`${over}: an event with an id is acknowledged with that id`, async () => {
      const { session } = await connect(server, way);
      await session.send('420["echo",1]', '42999999["echo","a","b"]', '427["echo"]');
      assert.equal(await session.next(), "430[1]");
      assert.equal(await session.next(), '43999999["a","b"]');
      assert.equal(await session.next(), "437[]");
    });

    test(`${over}: blanks before the JSON belong to the id, and alone mean id 0`, async () => {
      const { session } = await connect(server, way);
      await session.send('42 ["echo",1]', '42\t\n["echo",2]', '427 ["echo",3]', '42 8[ "echo" ,4 ]');
      for (const answer of ["430[1]", "430[2]", "437[3]", "438[4]"]) assert.equal(await session.next(), answer);
    });

    test(`${over}: an event without an id is answered by an event without one`, async () => {
      const socket = await connect(server, way);
      await socket.emit("emit-back", 1, "two", { three: 3 });
      await socket.receives("back", 1, "two", { three: 3 });
    });

    test(`${over}: JSON is echoed unchanged, with the order of keys`, async () => {
      const socket = await connect(server, way);
      assert.equal(JSON.stringify(await socket.ask("echo", ...VALUES)), JSON.stringify(VALUES));
      await socket.emit("emit-back", ...VALUES);
      await socket.receives("back", ...VALUES);
    });

    test(`${over}: a lone surrogate is echoed unchanged`, async () => {
      const { session } = await connect(server, way);
      await session.send(String.raw`421["echo","\ud83d"]`);
      assert.equal(await session.next(), String.raw`431["\ud83d"]`);
    });

    test(`${over}: a hundred levels of nesting are echoed`, async () => {
      const { session } = await connect(server, way);
      const deep = "[".repeat(100) + "]".repeat(100);
      await session.send(`421["echo",${deep}]`);
      assert.equal(await session.next(), `431[${deep}]`);
    });

    test(`${over}: the client acknowledges a server event`, async () => {
      const socket = await connect(server, way);
      await socket.session.send('425["ask",{"q":1}]');
      const id = await socket.isAsked("question", { q: 1 });
      await socket.answer(id, "the answer", "more");
      assert.equal(await socket.session.next(), '435["the answer"]');
    });

    test(`${over}: only the first acknowledgement counts, and one with an unknown id is ignored`, async () => {
      const socket = await connect(server, way);
      await socket.session.send('421["ask",1]');
      const id = await socket.isAsked("question", 1);
      await socket.answer(id, "once");
      assert.equal(await socket.session.next(), '431["once"]');
      await socket.answer(id, "twice");
      await socket.answer(4_711, "nobody asked");
      await socket.isAlive();
    });

    test(`${over}: an event without a handler is ignored, also with an id`, async () => {
      const socket = await connect(server, way);
      for (const event of ["nobody-listens", "connection", 1]) {
        await socket.emit(event);
        await socket.session.send(...socket.event([event], 1_000));
        assert.deepEqual(await heardBefore(socket), []);
      }
    });

    test(`${over}: five hundred events and their acknowledgements keep their order`, async () => {
      const { session } = await connect(server, way);
      const events = Array.from({ length: 500 }, (_, i) => `42${i}["echo",${i}]`);
      for (let i = 0; i < events.length; i += 100) await session.send(...events.slice(i, i + 100));
      for (let i = 0; i < events.length; i++) assert.equal(await session.next(), `43${i}[${i}]`);
    });

    test(`${over}: a burst of events arrives whole and in order`, async () => {
      const socket = await connect(server, way);
      await socket.emit("burst", 1_000);
      for (let i = 0; i < 1_000; i++) await socket.receives("tick", i);
      await socket.isAlive();
    });

    test(`${over}: an event just below the size limit is echoed`, async () => {
      const socket = await connect(server, way);
      const text = "x".repeat(99_000);
      assert.deepEqual(await socket.ask("echo", text), [text]);
    });

    test(`${over}: DISCONNECT is not answered, and a new CONNECT is accepted`, async () => {
      const main = await connect(server, way);
      const custom = await join(main.session, "/custom");
      await main.session.send("41/custom,");
      await main.isAlive();
      const again = await join(main.session, "/custom");
      await again.isAlive();
      if (way.eio === 4) assert.notEqual(again.id, custom.id);
    });

    test(`${over}: a client may leave the main namespace and stay in another`, async () => {
      const main = await connect(server, way);
      const custom = await join(main.session, "/custom");
      await main.session.send("41");
      await custom.isAlive();
      const again = await join(main.session, "/");
      await again.isAlive();
    });
  }

  test("acknowledgement ids of the server are counted per namespace", async () => {
    const main = await connect(server);
    const custom = await join(main.session, "/custom");
    await main.session.send('421["ask","main"]');
    const mainId = await main.isAsked("question", "main");
    await custom.session.send('42/custom,1["ask","custom"]');
    const customId = await custom.isAsked("question", "custom");
    await custom.answer(customId, "from custom");
    assert.equal(await main.session.next(), '43/custom,1["from custom"]');
    await main.answer(mainId, "from main");
    assert.equal(await main.session.next(), '431["from main"]');
  });
});
