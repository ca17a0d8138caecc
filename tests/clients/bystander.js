// A client in a separate process that continuously sends events and measures round trips. Its process is independent
// of the test's load.

import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

import { inTime } from "./harness.js";

const CLIENT = fileURLToPath(new URL("asking.js", import.meta.url));

export class Bystander {
  #child;

  /** A connected bystander; it ends with the test `t`. */
  static async arrives(t, server, auth = { userId: "bystander", name: "Bystander" }) {
    const bystander = new Bystander();
    bystander.#child = fork(CLIENT, [server.url, JSON.stringify(auth)]);
    t.after(() => bystander.#child.kill());
    await bystander.roundTrips();
    return bystander;
  }

  /**
   * Milliseconds of each round trip since the last call, including the current one; waits until there are at least this
   * many.
   */
  async roundTrips(least = 1) {
    const answer = once(this.#child, "message");
    this.#child.send(least);
    const [times] = await inTime(answer, "round trips of the bystander", 60_000);
    return times;
  }
}

/**
 * Asserts that round trips take as long as before, plus the time `turn` in milliseconds that the server needs to
 * serve each other client once. With fair scheduling most take no longer than that; a single one may have been
 * delayed by the machine.
 */
export function assertNoSlower(during, before, turn) {
  const [usual, now, longest] = [typical(before), typical(during), Math.max(...during)];
  const text = [usual, turn, now, longest].map((ms) => ms.toFixed(1)).join(", ");
  assert.ok(now <= 10 * usual + 2 * turn, `before, turn, now, longest: ${text} ms`);
  assert.ok(longest <= 50 * usual + 10 * turn + 500, `before, turn, now, longest: ${text} ms`);
}

/**
 * The median delay of a client that sends at a random moment: half of the total time is in round trips no longer than
 * this.
 */
function typical(times) {
  const half = times.reduce((sum, time) => sum + time) / 2;
  let spent = 0;
  return times.toSorted((a, b) => a - b).find((time) => (spent += time) >= half);
}
