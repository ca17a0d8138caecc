// Graceful shutdown: the server notifies its clients, and official clients reconnect by themselves.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { GENERATIONS, TRANSPORTS, done, fence, once, refused, start } from "./harness.js";

/** An official client's default behaviour, with shorter delays. */
const RECONNECTING = { reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 100 };

describe("a server that shuts down", () => {
  test("tells every client when to reconnect, and exits with 0 within the drain", async (t) => {
    const server = await start(t, { "server.drain": "2s" });
    const sockets = [];
    for (const generation of GENERATIONS) {
      for (const transports of TRANSPORTS) sockets.push(await server.connect({ generation, transports }));
    }
    const began = Date.now();
    server.terminate();
    for (const socket of sockets) {
      const { reconnectInMs } = await once(socket, "server-closing");
      assert.ok(Number.isInteger(reconnectInMs) && reconnectInMs >= 0 && reconnectInMs <= 2_000, `${reconnectInMs}`);
    }
    assert.deepEqual(await server.exited(), { code: 0, signal: null });
    assert.ok(Date.now() - began >= 1_900, "those who stay have the whole drain");
    assert.ok(Date.now() - began < 7_000, `${Date.now() - began} ms`);
  });

  test("exits as soon as all clients have disconnected", async (t) => {
    const server = await start(t, { "server.drain": "1h" });
    const socket = await server.connect();
    server.terminate();
    await once(socket, "server-closing");
    socket.disconnect();
    assert.deepEqual(await server.exited(), { code: 0, signal: null });
  });

  test("exits at once without clients", async (t) => {
    const server = await start(t, { "server.drain": "1h" });
    assert.equal((await server.request("/ready")).status, 200);
    server.terminate();
    assert.deepEqual(await server.exited(), { code: 0, signal: null });
  });

  test("is not ready, refuses new clients, and still serves connected ones", async (t) => {
    const server = await start(t, { "server.drain": "1h" });
    const [ada, polling] = [await server.user("ada"), await server.user("bob", { transports: ["polling"] })];
    assert.equal((await server.request("/ready")).status, 200);
    server.terminate();
    for (const socket of [ada, polling]) await once(socket, "server-closing");
    assert.equal((await server.request("/ready")).status, 503);
    assert.equal((await server.request("/health")).status, 200);
    assert.equal((await server.request("/socket.io/?EIO=4&transport=polling")).status, 503);
    assert.equal((await server.request("/socket.io/?EIO=3&transport=polling")).status, 503);
    assert.equal((await server.websocket()).status, 503);
    const message = await done(ada, "send-message", { text: "last words" });
    assert.deepEqual((await once(polling, "message-saved")).message, message);
    assert.equal(await refused(polling, "nonsense"), "unknown-event");
    for (const socket of [ada, polling]) socket.disconnect();
    assert.equal((await server.exited()).code, 0);

    await server.start();
    const { messages } = await done(await server.user("ada"), "load-messages", { room: "lobby" });
    assert.deepEqual(messages, [message]);
  });

  test("logs the disconnect reasons of its clients", async (t) => {
    const server = await start(t, { "server.drain": "10ms" });
    const { id } = await server.user("ada");
    const other = await server.user("bob", { query: { recovery: "false" } });
    const ended = other.id;
    server.terminate();
    await server.logged({ message: "closed" });
    for (const [message, socket] of [["away", id], ["disconnected", ended]]) {
      const line = await server.logged({ message, socket }, 1_000);
      assert.equal(line.reason, "server shutting down");
    }
  });
});

/** A polling client by hand: connected, and polls only when a test calls it. */
async function poller(server, headers = {}) {
  const path = "/socket.io/?EIO=4&transport=polling";
  const { sid } = JSON.parse((await server.request(path, { headers })).body.slice(1));
  const poll = async () => (await server.request(`${path}&sid=${sid}`)).body;
  assert.equal((await server.request(`${path}&sid=${sid}`, { method: "POST", body: "40" })).status, 200);
  while (!(await poll()).includes('"session"'));
  return { sid, poll };
}

describe("server-closing reaches a client that is not polling at that moment", () => {
  test("between two polls", async (t) => {
    const server = await start(t, { "server.drain": "50ms" });
    const { poll } = await poller(server);
    server.terminate();
    // The drain is over before the client polls again.
    await server.logged({ message: "disconnected" });
    const body = await poll();
    assert.match(body, /server-closing/);
    assert.match(body, /\x1e1$/, "and the end");
    assert.equal((await server.exited()).code, 0);
  });

  test("and if it can be recovered, no event is in one payload with the end", async (t) => {
    const server = await start(t, { "server.drain": "50ms" });
    const { poll } = await poller(server, { "user-agent": "node-XMLHttpRequest" });
    server.terminate();
    await server.logged({ message: "away" });
    assert.match(await poll(), /server-closing[^\x1e]*$/);
    assert.equal(await poll(), "6\x1e1");
    assert.equal((await server.exited()).code, 0);
  });

  test("during an upgrade, while it does not poll", async (t) => {
    const server = await start(t, { "server.drain": "50ms" });
    const { sid } = await poller(server);
    const { status, socket, frames } = await server.websocket({}, `EIO=4&sid=${sid}`);
    assert.equal(status, 101);
    socket.send("2probe");
    await frames.take((frame) => frame === "3probe", "the answer to the probe");
    server.terminate();
    await server.logged({ message: "disconnected" });
    socket.send("5");
    await frames.take((frame) => frame.includes("server-closing"), "what waited for it");
    await frames.take((frame) => frame === "closed", "the end");
    assert.equal((await server.exited()).code, 0);
  });
});

describe("after a deploy", { concurrency: 3 }, () => {
  for (const generation of GENERATIONS) {
    for (const transports of TRANSPORTS) {
      test(`a client ${generation} over ${transports.join(" upgraded to ")} reconnects by itself`, async (t) => {
        const server = await start(t, { "server.drain": "100ms" });
        const socket = await server.user("ada", { generation, transports, ...RECONNECTING });
        server.terminate();
        await once(socket, "server-closing");
        assert.match(await once(socket, "disconnect"), /^transport (close|error)$/, "a drop, no kick");
        await server.exited();
        await server.start(server.port);
        await once(socket, "connect");
        if (generation === 4) assert.equal(socket.recovered, true);
        else assert.deepEqual((await once(socket, "session")).user, { id: "ada", name: "ada" });
        await fence(socket, socket);
      });
    }
  }
});
