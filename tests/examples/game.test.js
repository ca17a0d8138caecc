import assert from "node:assert/strict";
import { test } from "node:test";

import { ask, example, next } from "./harness.js";

example("game", (server) => {
  /** A player, who says whether they are ready when they are asked; with null, nothing. */
  async function player(name, { game = "1", isReady = true } = {}) {
    const socket = await server.connect({ namespace: `/game-${game}`, auth: { name } });
    socket.on("ready?", (callback) => isReady !== null && callback(isReady));
    return socket;
  }

  /** The next event that is no question. */
  async function heard(socket) {
    const [name, ...args] = await socket.inbox.take(([name]) => name !== "ready?", "an event");
    return [name, ...args];
  }

  const players = (scores) => ["players", Object.entries(scores).map(([name, score]) => ({ name, score }))];

  test("asks everyone, plays a round and counts the score", async () => {
    const ada = await player("Ada");
    assert.deepEqual(await heard(ada), players({ Ada: 0 }));
    const bob = await player("Bob");
    for (const one of [ada, bob]) assert.deepEqual(await heard(one), players({ Ada: 0, Bob: 0 }));
    assert.equal(await ask(bob, "guess", 1), "no round");
    assert.equal(await ask(ada, "start", 42), "started");
    for (const one of [ada, bob]) assert.deepEqual(await heard(one), ["started", { by: "Ada", players: 2 }]);
    assert.equal(await ask(bob, "guess", 50), "lower");
    assert.equal(await ask(bob, "guess", 30), "higher");
    assert.equal(await ask(bob, "guess", 42), "right");
    for (const one of [ada, bob]) {
      assert.deepEqual(await heard(one), ["won", { by: "Bob", secret: 42 }]);
      assert.deepEqual(await heard(one), players({ Ada: 0, Bob: 1 }));
    }
    assert.equal(await ask(bob, "guess", 42), "no round");
    bob.disconnect();
    assert.deepEqual(await heard(ada), players({ Ada: 0 }));
  });

  test("starts only if all are ready", async () => {
    const ada = await player("Ada");
    assert.deepEqual(await heard(ada), players({ Ada: 0 }));
    // The connection handlers of two sockets may overlap, so each player waits for the one before.
    await player("Bob");
    assert.deepEqual(await heard(ada), players({ Ada: 0, Bob: 0 }));
    const eve = await player("Eve", { isReady: false });
    assert.deepEqual(await heard(ada), players({ Ada: 0, Bob: 0, Eve: 0 }));
    assert.equal(await ask(ada, "start", 42), "not everyone is ready");
    eve.disconnect();
    assert.deepEqual(await heard(ada), players({ Ada: 0, Bob: 0 }));
    assert.equal(await ask(ada, "start", 42), "started");
  });

  test("handles the other events of who waits for the answers", async () => {
    const [ada] = [await player("Ada"), await player("Bob", { isReady: null })];
    ada.emit("start", 42);
    assert.equal(await ask(ada, "guess", 42), "no round");
  });

  test("has as many games as there are namespaces", async () => {
    const [ada, bob] = [await player("Ada", { game: "one" }), await player("Bob", { game: "two" })];
    assert.deepEqual(await heard(ada), players({ Ada: 0 }));
    assert.deepEqual(await heard(bob), players({ Bob: 0 }));
    assert.equal(await ask(ada, "start", 42), "started");
    assert.equal(await ask(bob, "guess", 42), "no round");
    ada.disconnect();
    const eve = await player("Eve", { game: "two" });
    assert.deepEqual(await heard(bob), players({ Bob: 0, Eve: 0 }), "the first that he hears of");
    const other = server.client({ namespace: "/games" });
    assert.deepEqual(await next(other), ["connect_error", "Invalid namespace"]);
    assert.equal(await ask(eve, "guess", 1), "no round");
  });
});
