// Memory attacks: the server's memory stays bounded, other clients are served, and the memory is returned afterwards.

import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { newKey } from "./api.js";
import { ATTACKS, MEMORY } from "./attacks.js";
import { JWT, token } from "./backend.js";
import { Bystander } from "./bystander.js";
import { METRICS, done, start } from "./harness.js";

const ATTACKER = fileURLToPath(new URL("attacker.js", import.meta.url));
/** Duration of an attack. */
const ATTACK_MS = Number(process.env.ATTACK_MS ?? 4_000);
/** Memory of the process beyond `limits.memory`, without connections. */
const BESIDE = 150_000_000;
const PER_CONNECTION = 8_192;
/**
 * The bound of the counted bytes. It is above `limits.memory`: when that is used up, the server still reads from
 * connections that hold less than an eighth of an equal share.
 */
const COUNTED = (MEMORY * 5) / 4;
/** What each connection may hold in addition: the head of an HTTP request (32 KiB) and one read (4 KiB). */
const COUNTED_PER_CONNECTION = 36_864;
/** The longest round trip of a bystander during an attack. */
const SERVED_MS = 3_000;
// The time in which memory must be returned, and the growth that may remain.
/** How soon memory goes back, and to how much more than before. */
const BACK_MS = 30_000;
const BACK_BYTES = 50_000_000;

/** Settings of single attacks. */
const SETTINGS = {
  "connects by polling": JWT,
  "connects by WebSocket": JWT,
  // Recovery logs are kept, since the clients may be recovered.
  "recovery logs": { "limits.events-per-second": 0, "recovery.total-bytes": MEMORY / 8 },
  "2,000 clients that never read": { "limits.events-per-second": 0, "limits.queued-bytes-total": MEMORY / 2 },
};

const OWN = { "relay.own.to": "user", "relay.own.field": "user" };
const OPEN = { "limits.sockets-per-address": 0, "limits.memory": MEMORY, "server.connect-timeout": "5s" };

const median = (times) => times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)];
const megabytes = (bytes) => `${Math.round(bytes / 1e5) / 10} MB`;

/** The bytes that the server counts. */
async function charged(server) {
  const kinds = (await server.metrics()).matchAll(/^sockeye_memory_bytes\{.*\} (\d+)$/gm);
  return [...kinds].reduce((sum, [, bytes]) => sum + Number(bytes), 0);
}

describe("the server's memory stays within bounds when it is attacked with", () => {
  for (const name of Object.keys(ATTACKS)) {
    test(name, { timeout: 240_000 }, async (t) => {
      const { key, settings } = newKey();
      const server = await start(t, { ...METRICS, ...settings, ...OWN, ...OPEN, ...SETTINGS[name] });
      const auth = SETTINGS[name] === JWT ? { token: await token("bystander") } : { userId: "bystander" };
      const sender = await server.connect({ auth });
      for (let n = 0; n < 20; n += 1) await done(sender, "send-message", { text: "x".repeat(40_000) });
      const bystander = await Bystander.arrives(t, server, auth);
      const before = await bystander.roundTrips(500);
      const rss = async () => 1_024 * (await server.memory());
      const first = await rss();

      const attacker = fork(ATTACKER);
      t.after(() => attacker.kill());
      attacker.send({ name, port: server.port, options: { key } });
      let [peak, held] = [0, 0];
      for (const began = Date.now(); Date.now() - began < ATTACK_MS; await pause(50)) {
        peak = Math.max(peak, await rss());
        held = Math.max(held, await charged(server));
      }
      const longest = Math.max(...(await bystander.roundTrips()));
      const during = await bystander.roundTrips(5);
      peak = Math.max(peak, await rss());
      held = Math.max(held, await charged(server));
      attacker.kill();
      const figures = [`RSS ${megabytes(first)}, at most ${megabytes(peak)}`, `at most ${megabytes(held)} counted`];
      const [usual, now] = [median(before), median(during)];
      const trips = [usual, longest, now].map((ms) => `${ms.toFixed(1)} ms`).join(", ");
      figures.push(`bystander's median, its longest, its median at the end: ${trips}`);

      assert.ok(peak < MEMORY + BESIDE + ATTACKS[name].connections * PER_CONNECTION, figures.join("; "));
      const most = COUNTED + ATTACKS[name].connections * COUNTED_PER_CONNECTION;
      assert.ok(held > 0 && held < most, figures.join("; "));
      assert.ok(now < SERVED_MS, figures.join("; "));
      const gone = Date.now();
      let last = await rss();
      for (; last > first + BACK_BYTES && Date.now() - gone < BACK_MS; last = await rss()) await pause(100);
      t.diagnostic([...figures, `back at ${megabytes(last)} after ${Date.now() - gone} ms`].join("; "));
      assert.ok(last <= first + BACK_BYTES, `RSS ${megabytes(first)}, ${megabytes(last)} after the attack`);
    });
  }
});
