import assert from "node:assert/strict";
import { test } from "node:test";

import { conformance, PATIENT, TIMEOUT_MS } from "./harness.js";
import { connect, open, reasonOf } from "./session.js";

/** The namespaces that exist before a dynamic one is created. */
const STATIC = ["/", "/admin", "/api", "/calls", "/control", "/custom", "/gate", "/handshake", "/handshake-too", "/orders-fixed", "/watch"];

async function namespaces(observer) {
  const [names] = await observer.ask("namespaces");
  return names;
}

/** Waits until only those are left: a dynamic namespace is removed after the disconnect handler of its last socket. */
async function onlyStatic(observer) {
  const until = performance.now() + TIMEOUT_MS;
  let names = await namespaces(observer);
  while (names.length > STATIC.length && performance.now() < until) names = await namespaces(observer);
  assert.deepEqual(names, STATIC);
}

conformance("dynamic namespaces", PATIENT, (server) => {
  test("a dynamic namespace exists while it has sockets", async () => {
    const observer = await connect(server);
    const first = await connect(server, { namespace: "/dynamic-20" });
    const second = await connect(server, { namespace: "/dynamic-20" });
    assert.ok((await namespaces(observer)).includes("/dynamic-20"));
    await first.session.send("41/dynamic-20,");
    assert.equal(await reasonOf(server, first.id), "client namespace disconnect");
    assert.ok((await namespaces(observer)).includes("/dynamic-20"));
    await second.session.send("41/dynamic-20,");
    assert.equal(await reasonOf(server, second.id), "client namespace disconnect");
    await onlyStatic(observer);
  });

  test("a dynamic namespace whose middleware refuses is removed", async () => {
    const observer = await connect(server);
    const session = await open(server);
    for (let i = 100; i < 120; i++) {
      await session.send(`40/dynamic-${i},{"token":"refuse"}`);
      assert.match(await session.next(), /^44\/dynamic-/);
    }
    await onlyStatic(observer);
  });

  test("a CONNECT to an unknown namespace creates none", async () => {
    const observer = await connect(server);
    await observer.session.send("40/nope,");
    assert.match(await observer.session.next(), /^44\/nope,/);
    await onlyStatic(observer);
  });

  test("a dynamic namespace works again after it was removed", async () => {
    const observer = await connect(server);
    for (let i = 0; i < 3; i++) {
      const socket = await connect(server, { namespace: "/dynamic-30" });
      await socket.ask("join", "room");
      assert.ok((await namespaces(observer)).includes("/dynamic-30"));
      await socket.session.send("41/dynamic-30,");
      assert.equal(await reasonOf(server, socket.id), "client namespace disconnect");
      await onlyStatic(observer);
    }
  });
});
