import assert from "node:assert/strict";
import { test } from "node:test";

import { WebSocket } from "ws";

import { Inbox } from "../harness/inbox.js";
import { example, next } from "./harness.js";

example("echo", (server) => {
  /** A WebSocket, and the messages that it receives. */
  function listen(path) {
    const socket = new WebSocket(`ws://${server.host}${path}`);
    server.cleanups.push(() => socket.terminate());
    const inbox = new Inbox();
    socket.on("message", (data, isBinary) => inbox.add(isBinary ? data : data.toString()));
    return { socket, next: () => inbox.next("a text") };
  }

  for (const path of ["/ws", "/"]) {
    test(`greets and answers at ${path}`, async () => {
      const { socket, next } = listen(path);
      assert.equal(await next(), "connection established");
      for (const text of ["hello", "☃", ""]) {
        socket.send(text);
        assert.equal(await next(), `Roger that! ${text}`);
      }
    });
  }

  test("answers each client separately, Socket.IO clients too", async () => {
    const [one, other] = [listen("/ws"), listen("/ws")];
    const client = await server.connect();
    assert.deepEqual(await next(client), ["message", "connection established"]);
    for (const socket of [one, other]) assert.equal(await socket.next(), "connection established");
    client.emit("message", "hello");
    one.socket.send("one");
    other.socket.send("other");
    assert.deepEqual(await next(client), ["message", "Roger that! hello"]);
    assert.equal(await one.next(), "Roger that! one");
    assert.equal(await other.next(), "Roger that! other");
  });
});
