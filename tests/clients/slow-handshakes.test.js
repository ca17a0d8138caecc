// Handshakes that never end: given up after a while, and nobody else waits for them.

import assert from "node:assert/strict";
import net from "node:net";
import { test } from "node:test";

import { inTime, start } from "./harness.js";
import { Plain } from "./plain.js";

/** How long a request's head may take, and a bit. */
const PATIENCE_MS = 45_000;

test("a hundred handshakes that come byte by byte are given up, and others are served meanwhile", async (t) => {
  const server = await start(t);
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
  let longest = 0;
  for (let n = 0; !isOver; n += 1) {
    const began = Date.now();
    const ada = await Plain.user(server, `user-${n}`);
    await ada.done("SendMessage", { n });
    await ada.done("Unregister");
    longest = Math.max(longest, Date.now() - began);
    await Promise.race([over, new Promise((resolve) => setTimeout(resolve, 500))]);
  }
  await over;
  assert.ok(longest < 5_000, `${longest} ms`);
});
