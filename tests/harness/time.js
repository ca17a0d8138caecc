// One time limit for everything that must happen.

/** How long anything that must happen may take, in milliseconds, on a busy machine too. */
export const TIMEOUT_MS = 15_000;

/** What a promise is fulfilled with, or an error that says what did not happen; `what` is a text or returns one. */
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
