// Incomplete handshakes: given up after a timeout, without delaying other clients.

import assert from "node:assert/strict";
import net from "node:net";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";

import { assertNoSlower } from "./bystander.js";
import { inTime, start } from "./harness.js";
import { Plain } from "./plain.js";
import { timed } from "./stopwatch.js";

/** The timeout of a request's head, with a margin. */
const PATIENCE_MS = 45_000;

/** Milliseconds within which the server has read a byte of each slow handshake. */
const TURN_MS = 25;

/** Milliseconds in which a new client connects, sends an event and disconnects. */
function visit(server, n) {
  return timed(async () => {
    const visitor = await Plain.user(server, `user-${n}`);
    await visitor.done("SendMessage", { n });
    await visitor.done("Unregister");
  });
}

test("a hundred handshakes sent byte by byte are given up, and other clients are served meanwhile", async (t) => {
  const server = await start(t);
  const before = [];
  for (let n = 0; n < 20; n += 1) before.push(await visit(server, n));
  const head = `GET /ws HTTP/1.1\r\nHost: ${server.host}\r\nUpgrade: websocket\r\nX-Slow: `;
  const slow = Array.from({ length: 100 }, () => {
    const socket = net.connect({ port: server.port, noDelay: true });
    t.after(() => socket.destroy());
    socket.on("error", () => {});
    socket.resume();
    socket.write(head);
    const dribble = setInterval(() => socket.write("x"), 500);
    return new Promise((resolve) => socket.once("close", resolve)).finally(() => clearInterval(dribble));
  });
  let isOver = false;
  const over = inTime(Promise.all(slow), "the end of every slow handshake", PATIENCE_MS).finally(() => (isOver = true));
  const during = [];
  while (!isOver) {
    during.push(await visit(server, before.length + during.length));
    await Promise.race([over, pause(500)]);
  }
  await over;
  assertNoSlower(during, before, TURN_MS);
});
