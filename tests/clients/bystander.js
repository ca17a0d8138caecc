// A client in a process of its own, which goes on asking: what a test does slows it through the server alone.

import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

import { inTime } from "./harness.js";

const CLIENT = fileURLToPath(new URL("asking.js", import.meta.url));

export class Bystander {
  #child;

  /** One that is connected and asking; it ends with the test `t`. */
  static async arrives(t, server, auth = { userId: "bystander", name: "Bystander" }) {
    const bystander = new Bystander();
    bystander.#child = fork(CLIENT, [server.url, JSON.stringify(auth)]);
    t.after(() => bystander.#child.kill());
    await bystander.roundTrips();
    return bystander;
  }

  /** Milliseconds of each round trip since this was asked before, that one included which is under way; as soon as there are this many. */
  async roundTrips(least = 1) {
    const answer = once(this.#child, "message");
    this.#child.send(least);
    const [times] = await inTime(answer, "round trips of the bystander", 60_000);
    return times;
  }
}

/**
 * That round trips take as long as before, but for the time in which the server is busy with others: `turn` milliseconds
 * until each of them was served once. Where a client gets its turn, most take no longer; one may have waited for the
 * machine.
 */
export function assertNoSlower(during, before, turn) {
  const [usual, now, longest] = [typical(before), typical(during), Math.max(...during)];
  const text = [usual, turn, now, longest].map((ms) => ms.toFixed(1)).join(", ");
  assert.ok(now <= 10 * usual + 2 * turn, `before, turn, now, longest: ${text} ms`);
  assert.ok(longest <= 50 * usual + 10 * turn + 500, `before, turn, now, longest: ${text} ms`);
}

/** What a client that asks at any moment waits: half of the time is spent in round trips no longer than this. */
function typical(times) {
  const half = times.reduce((sum, time) => sum + time) / 2;
  let spent = 0;
  return times.toSorted((a, b) => a - b).find((time) => (spent += time) >= half);
}
