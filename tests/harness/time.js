// One timeout for everything that must happen.

/** The longest time for anything that must happen, in milliseconds, also on a busy machine. */
export const TIMEOUT_MS = 15_000;

/** The value of a promise, or an error that says what did not happen; `what` is a text or returns one. */
export async function inTime(promise, what, ms = TIMEOUT_MS) {
  let timer;
  const late = new Promise((_, reject) => {
    const fail = () => reject(new Error(`${typeof what === "function" ? what() : what}: not within ${ms} ms`));
    timer = setTimeout(fail, ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
