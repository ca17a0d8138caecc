// The example `echo`, as its first lines say: with a WebSocket, and with Socket.IO.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once as emitted } from "node:events";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { io } from "socket.io-client-4";
import { WebSocket } from "ws";

import { Inbox, inTime } from "./harness.js";

const BINARY = fileURLToPath(new URL("../../target/debug/examples/echo", import.meta.url));

/** The address of a running example, which ends with the test. */
async function start(t) {
  const child = spawn(BINARY, ["--listen", "127.0.0.1:0"], { env: {}, stdio: ["ignore", "pipe", "ignore"] });
  t.after(async () => {
    const ended = emitted(child, "close");
    process.kill(child.pid, "SIGKILL");
    await ended;
    await rm(join(tmpdir(), `sockeye-echo-${child.pid}`), { recursive: true, force: true });
  });
  const [line] = await inTime(emitted(createInterface({ input: child.stdout }), "line"), "the first line");
  return new URL(/^listening on (.*)$/.exec(line)[1]).host;
}

/** What arrives at a WebSocket. */
function listen(t, url) {
  const socket = new WebSocket(url);
  t.after(() => socket.terminate());
  const inbox = new Inbox();
  socket.on("message", (data, isBinary) => inbox.add(isBinary ? data : data.toString()));
  return { socket, next: () => inbox.take(() => true, "a text") };
}

describe("the echo", () => {
  for (const path of ["/ws", "/"]) {
    test(`greets and answers at ${path}`, async (t) => {
      const { socket, next } = listen(t, `ws://${await start(t)}${path}`);
      assert.equal(await next(), "connection established");
      for (const text of ["hello", "☃", ""]) {
        socket.send(text);
        assert.equal(await next(), `Roger that! ${text}`);
      }
    });
  }

  test("answers each for itself, and Socket.IO clients as well", async (t) => {
    const host = await start(t);
    const [one, other] = [listen(t, `ws://${host}/ws`), listen(t, `ws://${host}/ws`)];
    const client = io(`http://${host}`, { forceNew: true });
    t.after(() => client.disconnect());
    const inbox = new Inbox();
    client.on("message", (text) => inbox.add(text));
    for (const greeted of [one.next(), other.next(), inbox.take(() => true, "a greeting")]) {
      assert.equal(await greeted, "connection established");
    }
    client.emit("message", "hello");
    one.socket.send("one");
    other.socket.send("other");
    assert.equal(await inbox.take(() => true, "an answer"), "Roger that! hello");
    assert.equal(await one.next(), "Roger that! one");
    assert.equal(await other.next(), "Roger that! other");
  });
});
