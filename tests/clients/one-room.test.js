// Everybody in one room, whatever they speak: what anybody saves reaches each once, in one order.

import assert from "node:assert/strict";
import { test } from "node:test";

import { all, ask, start } from "./harness.js";
import { Plain } from "./plain.js";

/** Messages of each sender. */
const EACH = 50;

/** The texts of the saved messages a client has heard, in their order. */
class Hearer {
  constructor(name, next) {
    Object.assign(this, { name, next, texts: [] });
  }

  async until(count) {
    while (this.texts.length < count) this.texts.push(await this.next());
  }
}

test("four clients of four kinds send and hear", async (t) => {
  const server = await start(t, { "ws.text-event": "send-message", "limits.events-per-second": 0 });
  const v4 = await server.user("v4", { transports: ["polling", "websocket"] });
  const v2 = await server.user("v2", { generation: 2 });
  const envelopes = await Plain.user(server, "envelopes");
  const texts = await Plain.connect(server, { path: "/", query: "userId=texts" });
  texts.send("first");
  assert.equal(await texts.text(), "first");
  const value = ({ message }) => message.body.value;
  const hearers = [
    new Hearer("v4", async () => value((await all(v4, "message-saved"))[0])),
    new Hearer("v2", async () => value((await all(v2, "message-saved"))[0])),
    new Hearer("envelopes", async () => value(await envelopes.event("message-saved"))),
    new Hearer("texts", () => texts.text()),
  ];
  hearers.at(-1).texts.push("first");

  const senders = {
    v4: (text) => ask(v4, "send-message", text),
    v2: (text) => ask(v2, "send-message", text),
    envelopes: (text) => envelopes.done("SendMessage", text),
    texts: async (text) => texts.send(text),
  };
  const sending = Object.entries(senders).map(async ([name, send]) => {
    for (let n = 0; n < EACH; n += 1) await send(`${name} ${n}`);
  });
  const count = 1 + EACH * sending.length;
  await Promise.all([...sending, ...hearers.map((hearer) => hearer.until(count))]);
  // Whatever came twice or too late comes before this.
  await ask(v4, "send-message", "last");
  for (const hearer of hearers) await hearer.until(count + 1);

  const [{ texts: order }] = hearers;
  assert.equal(new Set(order).size, order.length, "each once");
  assert.equal(order.at(-1), "last");
  for (const { name, texts } of hearers) assert.deepEqual(texts, order, name);
  for (const name of Object.keys(senders)) {
    const own = order.filter((text) => text.startsWith(`${name} `));
    assert.deepEqual(own, Array.from({ length: EACH }, (_, n) => `${name} ${n}`), "in its sender's order");
  }
  const { data } = await ask(v2, "load-messages", { room: "lobby", after: 0, limit: 200 });
  assert.deepEqual(data.messages.map(({ body }) => body.value), order.slice(0, 200), "and that is the store's");
});
