// Three generations of the client over every transport, on a network that delivers bytes in small pieces, late, or
// not completely.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import {
  GENERATIONS,
  METRICS,
  TRANSPORTS,
  all,
  ask,
  done,
  established,
  fence,
  inTime,
  once,
  start,
  untaken,
  upgraded,
} from "./harness.js";
import { cuts, proxy } from "./proxy.js";

const SETTINGS = { "limits.events-per-second": 0, "limits.events-in-flight": 0, "relay.message.to": "everyone" };
/** The client waits for `timeout` if a connection ends between the WebSocket upgrade and CONNECT. */
const AGAIN = { reconnection: true, reconnectionDelay: 10, reconnectionDelayMax: 20, timeout: 1_000 };

for (const generation of GENERATIONS) {
  for (const transports of TRANSPORTS) {
    describe(`client ${generation} over ${transports.join(" upgraded to ")}`, () => {
      const pieces = {
        "one byte at a time": [1, 1],
        "one to seven bytes at a time": [1, 7],
        "a few bytes each millisecond": [20, 60, 1],
      };
      for (const [what, sizes] of Object.entries(pieces)) {
        test(`sends and receives, ${what}`, async (t) => {
          const server = await start(t, SETTINGS);
          const through = await proxy(t, server.port, (connection) => connection.inPieces(...sizes));
          const bob = await server.user("bob");
          const ada = await server.user("ada", { generation, transports, url: through.url });
          await upgraded(ada);
          const message = await done(ada, "send-message", { text: "hello ☃" });
          for (const socket of [ada, bob]) assert.deepEqual((await once(socket, "message-saved")).message, message);
          for (const [sender, listener] of [[ada, bob], [bob, ada]]) {
            for (let n = 0; n < 30; n += 1) {
              if (n % 10 === 9) await done(sender, "list-rooms", {});
              if (n % 2 === 0) sender.emit("message", n, Buffer.alloc(n, n), { deep: Buffer.from("☃") }, "text");
              else sender.emit("message", n, { text: "☃".repeat(n) });
            }
            for (let n = 0; n < 30; n += 1) {
              const [number, first, second, text] = await all(listener, "message", (value) => typeof value === "number");
              assert.equal(number, n, "in order");
              if (n % 2 === 0) assert.deepEqual([...Buffer.from(first)], Array(n).fill(n));
              if (n % 2 === 0) assert.deepEqual([Buffer.from(second.deep).toString(), text], ["☃", "text"]);
              if (n % 2 === 1) assert.deepEqual(first, { text: "☃".repeat(n) });
            }
          }
          await fence(ada, ada, bob);
          assert.equal(through.connections.some(({ isWebSocket }) => isWebSocket), transports.includes("websocket"));
        });
      }

      test("connects although its first connections break during the handshake", async (t) => {
        // Sessions unknown to their client end by their heartbeat.
        const heartbeat = { "server.ping-interval": "1s", "server.ping-timeout": "4s" };
        const server = await start(t, { ...SETTINGS, ...METRICS, ...heartbeat });
        const up = [0, 20, 200].map((bytes) => ["up", bytes]);
        const places = cuts([...up, ...[0, 1, 90, 180, 240, 330].map((bytes) => ["down", bytes])]);
        const bob = await server.user("bob");
        const through = await proxy(t, server.port, (connection) => {
          const [direction, bytes] = places.shift() ?? [];
          if (direction) connection[direction].cutAfter(bytes, places.length % 2 === 0 ? "reset" : "end");
        });
        const ada = server.client({ generation, transports, url: through.url, auth: { userId: "ada" }, ...AGAIN });
        const isIn = new Promise((resolve) => ada.on("session", resolve));
        ada.connect();
        await inTime(isIn, "the session");
        await settled(ada, bob);
        await server.reaches("sockeye_connections", 2);
      });

      if (transports.length > 1) {
        // Counted from the end of the HTTP head; a probe is a frame of 12 bytes, its answer one of 8.
        const early = [["up", -30], ["up", 0], ["up", 5], ["up", 12], ["down", -30], ["down", 0], ["down", 1], ["down", 7]];
        for (const [direction, bytes] of cuts(early)) {
          test(`keeps its session, over polling, when its upgrade breaks at ${bytes} bytes ${direction}`, async (t) => {
            const server = await start(t, SETTINGS);
            const through = await proxy(t, server.port, breaksUpgrade(direction, bytes));
            const bob = await server.user("bob");
            const ada = server.client({ generation, transports, url: through.url, auth: { userId: "ada" } });
            const failed = through.next(({ isWebSocket }) => isWebSocket);
            await established(ada);
            await inTime((await failed).closed, "the end of the upgrade");
            await settled(ada, bob);
            assert.deepEqual(untaken(ada, "disconnect"), []);
            assert.equal(ada.io.engine.transport.name, "polling");
          });
        }

        for (const [direction, bytes] of cuts([["up", 19], ["up", 25], ["down", 12], ["down", 40]])) {
          test(`reconnects when its new WebSocket breaks at ${bytes} bytes ${direction}`, async (t) => {
            const server = await start(t, { ...SETTINGS, ...METRICS });
            const through = await proxy(t, server.port, breaksUpgrade(direction, bytes));
            const bob = await server.user("bob");
            const ada = server.client({ generation, transports, url: through.url, auth: { userId: "ada" }, ...AGAIN });
            await established(ada);
            await upgraded(ada);
            for (let n = 0; ada.connected && n < 100; n += 1) await done(bob, "send-message", {});
            await settled(ada, bob);
            await server.reaches("sockeye_connections", 2);
          });
        }

        test("is processed from the first byte on the new WebSocket, binary too", async (t) => {
          const server = await start(t, SETTINGS);
          const through = await proxy(t, server.port);
          const bob = await server.user("bob");
          const ada = server.client({ generation, transports, url: through.url, auth: { userId: "ada" } });
          ada.connect();
          // In one write with the packet that ends the upgrade, as Node writes everything of one turn.
          ada.io.engine.once("upgrade", () => {
            for (const n of [1, 2, 3, 4]) ada.emit("message", n, ...(n % 2 === 0 ? [Buffer.from([n])] : []));
          });
          for (const n of [1, 2, 3, 4]) {
            const [number, binary] = await all(bob, "message");
            assert.equal(number, n);
            if (n % 2 === 0) assert.deepEqual([...Buffer.from(binary)], [n]);
          }
        });

        test("stays on polling when its upgrade hangs", async (t) => {
          const server = await start(t, SETTINGS);
          const through = await proxy(t, server.port, (connection) => connection.isWebSocket && connection.stall());
          const bob = await server.user("bob");
          const ada = await server.user("ada", { generation, transports, url: through.url });
          await settled(ada, bob);
          assert.equal(ada.io.engine.transport.name, "polling");
        });
      }
    });
  }
}

/** Cuts the first WebSocket this many bytes after its HTTP head. */
function breaksUpgrade(direction, bytes) {
  let isFirst = true;
  return (connection) => {
    if (!connection.isWebSocket || !isFirst) return;
    isFirst = false;
    connection[direction].cutBehind((text) => {
      const end = text.indexOf("\r\n\r\n");
      return end === -1 ? undefined : end + 4 + bytes;
    }, "end");
  };
}

/** Waits, through any further breaks, until an event of each client is acknowledged and received by the other. */
async function settled(ada, bob) {
  const mark = `mark ${Math.random()}`;
  const heard = (socket) => once(socket, "message-saved", ({ message }) => message.body.mark === mark);
  for (let [reply, tries] = [undefined, 0]; !reply; tries += 1) {
    assert.ok(tries < 20, "again and again");
    if (!ada.connected) await inTime(new Promise((resolve) => ada.once("connect", resolve)), "connect");
    const broken = new Promise((resolve) => ada.once("disconnect", () => resolve(undefined)));
    const acknowledged = new Promise((resolve) => ada.emit("send-message", { mark, idempotencyKey: mark }, resolve));
    reply = await inTime(Promise.race([acknowledged, broken]), "a reply or the end of the connection");
  }
  await heard(bob);
  await ask(bob, "message", mark);
  await once(ada, "message", (text) => text === mark);
}
