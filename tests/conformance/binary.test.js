import assert from "node:assert/strict";
import { test } from "node:test";

import { conformance, PATIENT } from "./harness.js";
import { connect, WAYS } from "./session.js";

const ONE = Buffer.of(0, 1, 4, 30, 127, 128, 255);
const TWO = Buffer.from("b4 text-like \x1e 5:hello", "latin1");
const EMPTY = Buffer.alloc(0);

conformance("binary", PATIENT, (server) => {
  for (const way of WAYS) {
    const over = `revision ${way.eio} over ${way.transport}`;

    test(`${over}: a buffer is acknowledged with a buffer`, async () => {
      const { session } = await connect(server, way);
      await session.send('451-7["echo",{"_placeholder":true,"num":0}]', ONE);
      assert.equal(await session.next(), '461-7[{"_placeholder":true,"num":0}]');
      assert.deepEqual(await session.next(), ONE);
    });

    test(`${over}: several buffers at any depth of the arguments`, async () => {
      const socket = await connect(server, way);
      const args = ["text", ONE, { inside: [TWO, { deeper: EMPTY }], plain: 1 }, [ONE]];
      assert.deepEqual(await socket.ask("echo", ...args), args);
      await socket.emit("emit-back", ...args);
      await socket.receives("back", ...args);
    });

    test(`${over}: an event with a buffer has its offset as the last argument`, async () => {
      const { session } = await connect(server, way);
      await session.send('451-["emit-back",{"_placeholder":true,"num":0}]', ONE);
      assert.match(await session.next(), /^451-\["back",\{"_placeholder":true,"num":0\}(,"[^"]+")?\]$/);
      assert.deepEqual(await session.next(), ONE);
    });

    test(`${over}: ten attachments`, async () => {
      const socket = await connect(server, way);
      const args = Array.from({ length: 10 }, (_, i) => Buffer.alloc(i, i));
      assert.deepEqual(await socket.ask("echo", ...args), args);
    });

    test(`${over}: an event with eleven attachments closes the connection`, async () => {
      const socket = await connect(server, way);
      const [packet] = socket.event(["echo", ...Array.from({ length: 11 }, (_, i) => Buffer.of(i))], 1);
      await socket.session.send(packet);
      await socket.session.closed();
    });

    test(`${over}: an acknowledgement with eleven attachments closes the connection`, async () => {
      const socket = await connect(server, way);
      await socket.session.send('423["ask","give me bytes"]');
      const id = await socket.isAsked("question", "give me bytes");
      await socket.session.send(`4611-${id}[{"_placeholder":true,"num":0}]`);
      await socket.session.closed();
    });

    test(`${over}: placeholders in another order than their attachments, one of them twice, one unused`, async () => {
      const socket = await connect(server, way);
      const place = (num) => `{"_placeholder":true,"num":${num}}`;
      await socket.session.send(`453-1["echo",${place(1)},${place(0)},${place(1)}]`, ONE, TWO, EMPTY);
      const { type, id, data } = await socket.next();
      assert.deepEqual([type, id, data], ["ACK", 1, [TWO, ONE, TWO]]);
    });

    test(`${over}: the client acknowledges a server event with a buffer`, async () => {
      const socket = await connect(server, way);
      await socket.session.send('423["ask","give me bytes"]');
      const id = await socket.isAsked("question", "give me bytes");
      await socket.answer(id, ONE);
      const { type, id: answered, data } = await socket.next();
      assert.deepEqual([type, answered, data], ["ACK", 3, [ONE]]);
    });

    test(`${over}: the server emits a buffer and asks for an acknowledgement`, async () => {
      const socket = await connect(server, way);
      await socket.session.send(...socket.event(["ask", { bytes: TWO }], 1));
      const id = await socket.isAsked("question", { bytes: TWO });
      await socket.answer(id, "thanks");
      assert.equal(await socket.session.next(), '431["thanks"]');
    });

    test(`${over}: buffers in a namespace`, async () => {
      const socket = await connect(server, { ...way, namespace: "/custom" });
      await socket.session.send('451-/custom,12["echo",{"_placeholder":true,"num":0}]', ONE);
      assert.equal(await socket.session.next(), '461-/custom,12[{"_placeholder":true,"num":0}]');
      assert.deepEqual(await socket.session.next(), ONE);
    });

    test(`${over}: events with and without buffers keep their order`, async () => {
      const socket = await connect(server, way);
      const packets = Array.from({ length: 50 }, (_, i) => socket.event(["echo", i % 2 === 0 ? i : Buffer.of(i)], i));
      await socket.session.send(...packets.flat());
      for (let i = 0; i < 50; i++) {
        const { id, data } = await socket.next();
        assert.deepEqual([id, data], [i, [i % 2 === 0 ? i : Buffer.of(i)]]);
      }
    });

    test(`${over}: a buffer of 70,000 bytes is echoed`, async () => {
      const socket = await connect(server, way);
      const large = Buffer.alloc(70_000, "large");
      assert.deepEqual(await socket.ask("echo", large), [large]);
    });
  }

  test("a buffer broadcast to a room reaches each client in the form of its revision and transport", async () => {
    const listeners = [];
    for (const way of WAYS) {
      const socket = await connect(server, { ...way, namespace: "/dynamic-1" });
      await socket.ask("join", "all kinds");
      listeners.push(socket);
    }
    const speaker = await connect(server, { namespace: "/dynamic-1" });
    await speaker.ask("say", { rooms: ["all kinds"], event: "bytes", data: { one: ONE, more: [TWO, "text"] } });
    for (const socket of listeners) await socket.receives("bytes", { one: ONE, more: [TWO, "text"] });
  });
});
