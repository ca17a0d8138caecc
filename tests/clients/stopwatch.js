// Measures durations without the time in which the machine did not run this process.

const TICK_MS = 10;

let [last, held] = [performance.now(), 0];
setInterval(() => ([held, last] = [heldUp(), performance.now()]), TICK_MS).unref();

/** Milliseconds so far in which this process was ready but did not run. */
function heldUp() {
  return held + Math.max(0, performance.now() - last - 2 * TICK_MS);
}

/** The duration of `act` in milliseconds. */
export async function timed(act) {
  const [began, before] = [performance.now(), heldUp()];
  await act();
  return Math.max(0, performance.now() - began - (heldUp() - before));
}
