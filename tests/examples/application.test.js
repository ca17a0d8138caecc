// An application in a crate of its own, which sees only what is public.

import assert from "node:assert/strict";
import { test } from "node:test";

import { built } from "../harness/process.js";
import { ask, next, serverCases } from "./harness.js";

serverCases("an application in a crate of its own", [built("sockeye-application"), ["--listen", "127.0.0.1:0"]], (server) => {
  const worker = () => server.connect({ namespace: "/workers", auth: { secret: "of workers" } });

  test("acknowledges a job when a worker has done it", async () => {
    const [ada, bob, worked] = [await server.connect(), await server.connect(), await worker()];
    const first = ask(ada, "run", "first");
    assert.deepEqual(await next(worked), ["job", 1, "first"]);
    const second = ask(ada, "run", "second");
    assert.deepEqual(await next(worked), ["job", 2, "second"]);
    await ask(worked, "done", 2, "was second");
    await ask(worked, "done", 1, "was first");
    assert.deepEqual([await first, await second], ["was first", "was second"]);
    assert.deepEqual(await next(bob), ["job done", 2]);
    assert.deepEqual(await next(bob), ["job done", 1]);
    const { error } = await ask(worked, "done", 1, "again");
    assert.equal(error.code, "not-found");
  });

  test("counts its workers, and lets nobody else be one", async () => {
    const [client] = [await server.connect(), await worker()];
    const other = server.client({ namespace: "/workers", auth: { secret: "none" } });
    assert.deepEqual(await next(other), ["connect_error", "no worker"]);
    assert.equal(await ask(client, "count"), 1);
  });

  test("returns all arguments, with their attachments", async () => {
    const client = await server.connect();
    const echoed = new Promise((resolve) => client.emit("echo", 1, { file: Buffer.of(1, 2, 3) }, (...args) => resolve(args)));
    assert.deepEqual(await echoed, [1, { file: Buffer.of(1, 2, 3) }]);
  });
});
