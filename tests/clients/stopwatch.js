// How long something takes, but for the time in which the machine does not run this process.

const TICK_MS = 10;

let [last, held] = [performance.now(), 0];
setInterval(() => ([held, last] = [heldUp(), performance.now()]), TICK_MS).unref();

/** Milliseconds in which this process ought to have run and did not, until now. */
function heldUp() {
  return held + Math.max(0, performance.now() - last - 2 * TICK_MS);
}

/** Milliseconds that `act` takes. */
export async function timed(act) {
  const [began, before] = [performance.now(), heldUp()];
  await act();
  return Math.max(0, performance.now() - began - (heldUp() - before));
}
