// Every generation of the official client over every transport, unmodified.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { GENERATIONS, TRANSPORTS, all, ask, done, inTime, once, start } from "./harness.js";

for (const generation of GENERATIONS) {
  for (const transports of TRANSPORTS) {
    describe(`client ${generation} over ${transports.join(" upgraded to ")}`, () => {
      const pair = async (t, settings) => {
        const server = await start(t, settings);
        const one = await server.user("ada", { generation, transports });
        const other = await server.user("bob", { generation, transports });
        if (transports.length > 1) await Promise.all([upgraded(one), upgraded(other)]);
        return { server, one, other };
      };

      test("a session event names user, rooms and server time", async (t) => {
        const { one } = await pair(t);
        const { user, socketId, rooms, serverTime } = one.session;
        assert.deepEqual(user, { id: "ada", name: "ada" });
        assert.equal(socketId, one.id);
        assert.deepEqual(rooms, ["lobby"]);
        assert.match(serverTime, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
        assert.equal(one.io.engine.transport.name, transports.at(-1));
      });

      test("a message is acknowledged and broadcast, to its sender too", async (t) => {
        const { one, other } = await pair(t);
        const message = await done(one, "send-message", { text: "hello ☃" });
        assert.deepEqual(message.body, { text: "hello ☃" });
        assert.deepEqual(message.from, { id: "ada", name: "ada" });
        assert.deepEqual(await once(one, "message-saved"), { success: true, message });
        assert.deepEqual(await once(other, "message-saved"), { success: true, message });
      });

      test("the reply to join-room contains the messages since a revision", async (t) => {
        const { one, other } = await pair(t);
        const first = await done(one, "send-message", { room: "den", n: 1 });
        const second = await done(one, "send-message", { room: "den", n: 2 });
        const joined = await done(other, "join-room", { room: "den", since: first.revision });
        assert.equal(joined.room, "den");
        assert.deepEqual(joined.head, { offset: 2, revision: 2 });
        assert.deepEqual(joined.messages, [second]);
        assert.deepEqual([joined.more, joined.reset], [false, false]);
        const third = await done(one, "send-message", { room: "den", n: 3 });
        assert.deepEqual(await once(other, "message-saved"), { success: true, message: third });
      });

      test("an edit and a deletion are broadcast", async (t) => {
        const { one, other } = await pair(t);
        const { id } = await done(one, "send-message", { text: "helo" });
        const edited = await done(one, "edit-message", { id, text: "hello" });
        assert.deepEqual(await once(other, "message-edited"), { success: true, message: edited });
        assert.deepEqual(edited.body, { text: "hello" });
        const deleted = await done(one, "delete-message", { id });
        assert.deepEqual(await once(other, "message-deleted"), { success: true, message: deleted });
        assert.deepEqual(deleted.body, {});
      });

      test("a relay forwards several arguments", async (t) => {
        const { one, other } = await pair(t);
        const args = ["hello", 1.5, { nested: [null, true] }, []];
        assert.deepEqual(await ask(one, "message", ...args), { success: true, data: null });
        assert.deepEqual(await all(one, "message"), args);
        assert.deepEqual(await all(other, "message"), args);
      });

      test("a relay forwards binary", async (t) => {
        const { one, other } = await pair(t);
        one.emit("message", Buffer.from([0, 1, 255]), { deep: Buffer.from("second") }, "text");
        for (const socket of [one, other]) {
          const [first, { deep }, text] = await all(socket, "message");
          assert.deepEqual([...Buffer.from(first)], [0, 1, 255]);
          assert.equal(Buffer.from(deep).toString(), "second");
          assert.equal(text, "text");
        }
      });

      test("a message just below the size limit arrives complete", async (t) => {
        const { one, other } = await pair(t);
        const text = "é☃x".repeat(150_000);
        assert.equal(Buffer.byteLength(text), 900_000);
        const saved = await done(one, "send-message", { text });
        assert.equal(saved.body.text, text);
        const { message } = await once(other, "message-saved");
        assert.equal(message.body.text, text);
      });

      test("the reason of a client's disconnect is logged", async (t) => {
        const { server, one } = await pair(t);
        const { id } = one;
        await server.logged({ message: "connected", socket: id, user: "ada" });
        one.disconnect();
        assert.equal(await once(one, "disconnect"), "io client disconnect");
        const line = await server.logged({ message: "disconnected", socket: id });
        assert.deepEqual([line.user, line.reason], ["ada", "client namespace disconnect"]);
      });

      test("a broken connection is a transport close on both sides", async (t) => {
        const { server, one } = await pair(t, { "recovery.window": "0s" });
        const { id } = one;
        one.io.engine.close();
        assert.match(await once(one, "disconnect"), /^(forced close|transport close)$/);
        const line = await server.logged({ message: "disconnected", socket: id });
        assert.equal(line.reason, "transport close");
      });

      test("a killed server is a transport close for its clients", async (t) => {
        const { server, one } = await pair(t);
        await server.kill();
        assert.match(await once(one, "disconnect"), /^transport (close|error)$/);
      });
    });
  }
}

/** Fulfilled when the transport is WebSocket. */
function upgraded(socket) {
  const { engine } = socket.io;
  if (engine.transport.name === "websocket") return undefined;
  const upgrade = new Promise((resolve, reject) => {
    engine.once("upgrade", resolve);
    engine.once("upgradeError", reject);
  });
  return inTime(upgrade, "the upgrade");
}

for (const path of ["/chat", "/chat/", "/a/b-c/"]) {
  test(`server.path = ${path}: clients connect, with and without a trailing slash in their path`, async (t) => {
    const server = await start(t, { "server.path": path });
    for (const generation of GENERATIONS) {
      for (const transports of TRANSPORTS) {
        const name = path.replace(/\/$/, "");
        for (const asked of [name, `${name}/`]) await server.user("ada", { generation, transports, path: asked });
      }
    }
    assert.equal((await server.request(`${path.replace(/\/$/, "")}/socket.io.js`)).status, 200);
  });
}
