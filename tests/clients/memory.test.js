// Clients that make the server hold as much as it can be made to: its memory stays within bounds, everybody else is
// served, and when they have gone the memory goes back.

import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { newKey } from "./api.js";
import { ATTACKS } from "./attacks.js";
import { JWT, token } from "./backend.js";
import { Bystander } from "./bystander.js";
import { METRICS, done, start } from "./harness.js";

const ATTACKER = fileURLToPath(new URL("attacker.js", import.meta.url));
/** `limits.memory`: small, so that an attack reaches it soon. `ATTACK_MEMORY` says how much instead. */
const MEMORY = Number(process.env.ATTACK_MEMORY ?? 64_000_000);
/** How long an attack goes on. */
const ATTACK_MS = Number(process.env.ATTACK_MS ?? 4_000);
/** What the process may have beside `limits.memory` and its connections. */
const BESIDE = 150_000_000;
const PER_CONNECTION = 8_192;
/** How soon memory goes back, and to how much more than before. */
const BACK_MS = 30_000;
const BACK_BYTES = 50_000_000;

/** Of an attack that needs others than these settings. */
const SETTINGS = {
  "connects by polling": JWT,
  "connects by WebSocket": JWT,
  "recovery logs": { "limits.events-per-second": 0, "recovery.total-bytes": 32_000_000 },
  "2,000 clients that never read": { "limits.events-per-second": 0, "limits.queued-bytes-total": MEMORY / 2 },
};

const OWN = { "relay.own.to": "user", "relay.own.field": "user" };
const OPEN = { "limits.sockets-per-address": 0, "limits.memory": MEMORY, "server.connect-timeout": "5s" };

/** The 99th percentile, in milliseconds. */
const p99 = (times) => times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)];
const megabytes = (bytes) => `${Math.round(bytes / 1e5) / 10} MB`;

describe("the server's memory stays within limits.memory when it is attacked with", () => {
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
      attacker.send({ name, port: server.port, options: { key, scale: Math.ceil(MEMORY / 64_000_000) } });
      let [peak, held] = [0, 0];
      for (const began = Date.now(); Date.now() - began < ATTACK_MS; await pause(50)) peak = Math.max(peak, await rss());
      for (const kind of ["input", "handshakes", "events", "writes", "output", "logs", "http"]) {
        held += await server.metric(`sockeye_memory_bytes{kind="${kind}"}`);
      }
      const during = await bystander.roundTrips(100);
      peak = Math.max(peak, await rss());
      attacker.kill();
      const figures = [`RSS ${megabytes(first)}, at most ${megabytes(peak)}`, `charged ${megabytes(held)}`];
      figures.push(`bystander's p99 ${p99(before).toFixed(1)} ms, then ${p99(during).toFixed(1)} ms`);

      assert.ok(peak < MEMORY + BESIDE + 2_000 * PER_CONNECTION, figures.join("; "));
      const gone = Date.now();
      let last = await rss();
      for (; last > first + BACK_BYTES && Date.now() - gone < BACK_MS; last = await rss()) await pause(100);
      t.diagnostic([...figures, `back at ${megabytes(last)} after ${Date.now() - gone} ms`].join("; "));
      assert.ok(last <= first + BACK_BYTES, `RSS ${megabytes(first)}, ${megabytes(last)} after the attack`);
    });
  }
});
