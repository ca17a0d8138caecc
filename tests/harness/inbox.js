// A queue of arrivals that a test takes items from, in order or by a condition.

import { inspect } from "node:util";

import { inTime } from "./time.js";

/** Items in the order of their arrival. An item that a waiting `take` or `next` matches goes to the oldest of these. */
export class Inbox {
  #waiting = [];
  /** What arrived and was not taken. */
  items = [];

  add(item) {
    const index = this.#waiting.findIndex(({ matches }) => matches(item));
    if (index === -1) this.items.push(item);
    else this.#waiting.splice(index, 1)[0].resolve(item);
  }

  /** The first item, whatever it is. */
  next(what, ms) {
    return this.take(() => true, what, ms);
  }

  /** The first item that matches and was not taken yet; items before it stay. */
  async take(matches, what, ms) {
    const index = this.items.findIndex(matches);
    if (index !== -1) return this.items.splice(index, 1)[0];
    const waiting = { matches };
    const arrived = new Promise((resolve) => (waiting.resolve = resolve));
    this.#waiting.push(waiting);
    try {
      return await inTime(arrived, () => this.#missing(what), ms);
    } finally {
      if (this.#waiting.includes(waiting)) this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
    }
  }

  #missing(what) {
    const name = typeof what === "function" ? what() : what;
    return `${name} (so far: ${inspect(this.items, { depth: 3 }).slice(0, 2_000)})`;
  }
}
