// Three generations of the client over every transport, where the network delivers bytes a few at a time, late, or not
// to the end.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { GENERATIONS, METRICS, TRANSPORTS, all, ask, done, established, fence, inTime, once, start, upgraded } from "./harness.js";
import { proxy } from "./proxy.js";

const SETTINGS = { "limits.events-per-second": 0, "limits.events-in-flight": 0, "relay.message.to": "everyone" };
/** The client waits for `timeout` when a connection ends between the WebSocket and the handshake of its own. */
const AGAIN = { reconnection: true, reconnectionDelay: 10, reconnectionDelayMax: 20, timeout: 1_000 };

for (const generation of GENERATIONS) {
  for (const transports of TRANSPORTS) {
    describe(`client ${generation} over ${transports.join(" upgraded to ")}`, () => {
      const pieces = { "one byte at a time": [1, 1], "one to seven bytes at a time": [1, 7], "a few bytes each millisecond": [20, 60, 1] };
      for (const [what, sizes] of Object.entries(pieces)) {
        test(`hears and is heard, ${what}`, async (t) => {
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

      test("comes in although its first connections break in the middle of the handshake", async (t) => {
        const server = await start(t, { ...SETTINGS, ...METRICS });
        const cuts = [["up", 0], ["up", 20], ["up", 200], ["down", 0], ["down", 1], ["down", 90], ["down", 180], ["down", 240], ["down", 330]];
        const bob = await server.user("bob");
        const through = await proxy(t, server.port, (connection) => {
          const [direction, bytes] = cuts.shift() ?? [];
          if (direction) connection[direction].cutAfter(bytes, cuts.length % 2 === 0 ? "reset" : "end");
        });
        const ada = server.client({ generation, transports, url: through.url, auth: { userId: "ada" }, ...AGAIN });
        const isIn = new Promise((resolve) => ada.on("session", resolve));
        ada.connect();
        await inTime(isIn, "the session");
        while (cuts.length > 0) {
          through.cut();
          await once(ada, "connect");
        }
        await settled(ada, bob);
        await server.reaches("sockeye_connections", 2);
      });

      if (transports.length > 1) {
        for (const direction of ["up", "down"]) {
          test(`stays, over polling, when its upgrade breaks on the way ${direction}`, async (t) => {
            const server = await start(t, { ...SETTINGS, ...METRICS });
            for (const bytes of direction === "up" ? [0, 100, 300] : [0, 60, 129, 134, 137]) {
              const through = await proxy(t, server.port, (connection) => {
                if (connection.isWebSocket) connection[direction].cutAfter(bytes, "end");
              });
              const bob = await server.user("bob");
              const ada = server.client({ generation, transports, url: through.url, auth: { userId: "ada" }, ...AGAIN });
              await established(ada);
              await settled(ada, bob);
              await through.next(({ isWebSocket }) => !isWebSocket);
              ada.disconnect();
              bob.disconnect();
            }
          });
        }

        test("goes on over polling when its upgrade hangs", async (t) => {
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

/** Whatever breaks meanwhile: at some time an event is acknowledged, and heard by the other, and the other's as well. */
async function settled(ada, bob) {
  const mark = `mark ${Math.random()}`;
  const heard = (socket) => once(socket, "message-saved", ({ message }) => message.body.mark === mark);
  for (let reply; !reply; ) {
    if (!ada.connected) await once(ada, "connect");
    const broken = new Promise((resolve) => ada.once("disconnect", () => resolve(undefined)));
    const acknowledged = new Promise((resolve) => ada.emit("send-message", { mark, idempotencyKey: mark }, resolve));
    reply = await inTime(Promise.race([acknowledged, broken]), "a reply or the end of the connection");
  }
  await heard(bob);
  await ask(bob, "message", mark);
  await once(ada, "message", (text) => text === mark);
}
