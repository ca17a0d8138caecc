// The example `echo`, used as its documentation says: over WebSocket and with Socket.IO.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { io } from "socket.io-client-4";
import { WebSocket } from "ws";

import { Inbox } from "../harness/inbox.js";
import { ServerProcess, built } from "../harness/process.js";

/** The address of a running example, which ends with the test. */
async function start(t) {
  const server = new ServerProcess();
  t.after(() => server.cleanUp());
  await server.launch(built("examples/echo"), ["--listen", "127.0.0.1:0"]);
  return server.host;
}

/** The messages that a WebSocket receives. */
function listen(t, url) {
  const socket = new WebSocket(url);
  t.after(() => socket.terminate());
  const inbox = new Inbox();
  socket.on("message", (data, isBinary) => inbox.add(isBinary ? data : data.toString()));
  return { socket, next: () => inbox.next("a text") };
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

  test("answers each client separately, Socket.IO clients too", async (t) => {
    const host = await start(t);
    const [one, other] = [listen(t, `ws://${host}/ws`), listen(t, `ws://${host}/ws`)];
    const client = io(`http://${host}`, { forceNew: true });
    t.after(() => client.disconnect());
    const inbox = new Inbox();
    client.on("message", (text) => inbox.add(text));
    for (const greeted of [one.next(), other.next(), inbox.next("a greeting")]) {
      assert.equal(await greeted, "connection established");
    }
    client.emit("message", "hello");
    one.socket.send("one");
    other.socket.send("other");
    assert.equal(await inbox.next("an answer"), "Roger that! hello");
    assert.equal(await one.next(), "Roger that! one");
    assert.equal(await other.next(), "Roger that! other");
  });
});
