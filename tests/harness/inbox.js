// A queue of received items, from which a test takes items in order or by a condition.

import { inspect } from "node:util";

import { inTime } from "./time.js";

/** Items in order of arrival. An item goes to the oldest waiting `take` or `next` that matches it. */
export class Inbox {
  #waiting = [];
  /** The items that arrived and were not taken. */
  items = [];

  add(item) {
    const index = this.#waiting.findIndex(({ matches }) => matches(item));
    if (index === -1) this.items.push(item);
    else this.#waiting.splice(index, 1)[0].resolve(item);
  }

  /** The first item. */
  next(what, ms) {
    return this.take(() => true, what, ms);
  }

  /** The first item that matches and was not taken yet; earlier items stay. */
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
