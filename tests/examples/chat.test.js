import assert from "node:assert/strict";
import { test } from "node:test";

import { example, next } from "./harness.js";

example("chat", (server) => {
  /** Clients that have said their names, one after the other, and have heard of each other. */
  async function people(...names) {
    const clients = [];
    for (const username of names) {
      const client = await server.connect();
      client.emit("add user", username);
      assert.deepEqual(await next(client), ["login", { numUsers: clients.length + 1 }]);
      for (const other of clients) {
        assert.deepEqual(await next(other), ["user joined", { username, numUsers: clients.length + 1 }]);
      }
      clients.push(client);
    }
    return clients;
  }

  test("counts who joins and who leaves", async () => {
    const [ada, bob, eve] = await people("Ada", "Bob", "Eve");
    bob.disconnect();
    for (const other of [ada, eve]) {
      assert.deepEqual(await next(other), ["user left", { username: "Bob", numUsers: 2 }]);
    }
  });

  test("takes a name once, and says nothing of a client without one that leaves", async () => {
    const [ada, bob] = await people("Ada", "Bob");
    const guest = await server.connect();
    ada.emit("add user", "Augusta");
    guest.disconnect();
    ada.emit("typing");
    assert.deepEqual(await next(bob), ["typing", { username: "Ada" }]);
  });

  test("passes messages and typing on to the others", async () => {
    const [ada, bob, eve] = await people("Ada", "Bob", "Eve");
    ada.emit("typing");
    ada.emit("stop typing");
    ada.emit("new message", "hello ☃");
    for (const other of [bob, eve]) {
      assert.deepEqual(await next(other), ["typing", { username: "Ada" }]);
      assert.deepEqual(await next(other), ["stop typing", { username: "Ada" }]);
      assert.deepEqual(await next(other), ["new message", { username: "Ada", message: "hello ☃" }]);
    }
    bob.emit("new message", "hi");
    assert.deepEqual(await next(ada), ["new message", { username: "Bob", message: "hi" }], "not her own");
  });
});
