// `sockeye copy-store`: a folder moves into PostgreSQL and back, and the copy is killed meanwhile.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";

import { Postgres } from "../harness/postgres.js";
import { BINARY, done, start } from "./harness.js";

const UNLIMITED = { "limits.events-per-second": "0" };
const MESSAGES = 12_000;

let postgres;
before(async () => (postgres = await Postgres.start()));
after(() => postgres.stop());

/** Copies with these flags, and returns the reply. Rejects with what the command writes to standard error. */
async function copy(...flags) {
  const { stdout } = await promisify(execFile)(BINARY, ["copy-store", ...flags], { env: {} });
  return JSON.parse(stdout);
}

/** Kills a copy some milliseconds after its first line in the log. Returns whether it was still running. */
async function killed(ms, flags) {
  const child = spawn(BINARY, ["copy-store", ...flags], { stdio: ["ignore", "ignore", "pipe"], env: {} });
  const ended = new Promise((resolve) => child.once("exit", (code, signal) => resolve(signal === "SIGKILL")));
  await Promise.race([once(child.stderr, "data"), ended]);
  await pause(ms);
  child.kill("SIGKILL");
  return ended;
}

const enter = (socket, room, since) => done(socket, "join-room", { room, since });
const texts = ({ messages }) => messages.map(({ body }) => body.text);

test("a server moves into PostgreSQL and back, and its clients go on where they were", async (t) => {
  const server = await start(t, UNLIMITED);
  const ada = await server.user("ada");
  await enter(ada, "tea");
  await done(ada, "send-message", { room: "tea", text: "1", idempotencyKey: "once" });
  const { revision: since } = await done(ada, "send-message", { room: "tea", text: "2" });
  await done(ada, "send-message", { room: "tea", text: "3" });
  const folder = join(server.folder, "data");
  const into = postgres.settings();
  const there = ["--data", folder, "--to", into["store.url"], "--to-schema", into["store.schema"]];
  await assert.rejects(copy(...there), /in use by a server/);
  server.terminate();
  await server.exited();
  assert.deepEqual(await copy(...there), { success: true, data: { rows: 7, rooms: 1 } });
  await assert.rejects(copy(...there), /the destination is not empty/);

  const moved = await start(t, { ...UNLIMITED, ...into });
  const again = await moved.user("ada");
  const caughtUp = await enter(again, "tea", since);
  assert.deepEqual([texts(caughtUp), caughtUp.reset ?? false], [["3"], false]);
  const retried = await done(again, "send-message", { room: "tea", text: "1", idempotencyKey: "once" });
  assert.equal(retried.offset, 1);
  assert.equal((await done(again, "send-message", { room: "tea", text: "4" })).offset, 4);
  const settings = ["--set", `store.url=${into["store.url"]}`, "--set", `store.schema=${into["store.schema"]}`];
  await assert.rejects(copy(...settings, "--to", folder), /in use by another server/);
  await rm(folder, { recursive: true });
  moved.terminate();
  await moved.exited();
  assert.deepEqual((await copy(...settings, "--to", folder)).data, { rows: 8, rooms: 1 });

  await server.start();
  const { messages } = await done(await server.user("bob"), "load-messages", { room: "tea", after: 0 });
  assert.deepEqual(texts({ messages }), ["1", "2", "3", "4"]);
});

test("a copy that is killed again and again loses nothing", async (t) => {
  const server = await start(t, UNLIMITED);
  const ada = await server.user("ada");
  for (let sent = 0; sent < MESSAGES; sent += 1_000) {
    const numbers = Array.from({ length: 1_000 }, (_, index) => sent + index);
    await Promise.all(numbers.map((n) => done(ada, "send-message", { room: `room-${n % 3}`, n })));
  }
  server.terminate();
  await server.exited();
  const into = postgres.settings();
  const flags = ["--data", join(server.folder, "data"), "--to", into["store.url"], "--to-schema", into["store.schema"]];
  let kills = 0;
  while (kills < Number(process.env.SOAK_KILLS ?? 3)) {
    // The first at once, the others until the comparison.
    if (!(await killed(kills === 0 ? 0 : Math.random() * 300, flags))) break;
    await assert.rejects(start(t, into), /is not finished/, "no server takes a part of a copy");
    kills += 1;
  }
  t.diagnostic(`${kills} kills`);
  // A copy that was complete before its kill is refused as a destination.
  const { success } = await copy(...flags).catch((error) => ({ success: /destination is not empty/.test(error.stderr) }));
  assert.ok(success);
  const moved = await start(t, { ...UNLIMITED, ...into });
  const reader = await moved.user("bob");
  for (const room of [0, 1, 2]) {
    const numbers = [];
    for (let more = true; more; ) {
      const page = await done(reader, "load-messages", { room: `room-${room}`, after: numbers.length, limit: 200 });
      numbers.push(...page.messages.map(({ body }) => body.n));
      more = page.more;
    }
    assert.deepEqual(numbers.sort((one, other) => one - other), Array.from({ length: MESSAGES / 3 }, (_, n) => 3 * n + room));
  }
});
