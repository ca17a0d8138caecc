// Clients of every protocol in one room: each saved message reaches each client once, in the same order. Events from
// Pusher's library are not saved; they reach each client once, in their own order.

import assert from "node:assert/strict";
import { test } from "node:test";

import Pusher from "pusher";

import { call, newKey } from "./api.js";
import { ask, start } from "./harness.js";
import { Plain } from "./plain.js";

/** Number of messages of each sender. */
const EACH = 50;
const APP = { appId: "3", key: "an app's key", secret: "and its secret" };

/** The saved texts and the texts from Pusher's library that a client received, each in order. */
class Hearer {
  saved = [];
  pushed = [];

  /** `take` adds the next item to one of the two lists. */
  constructor(name, take) {
    Object.assign(this, { name, take });
  }

  async until(saved, pushed) {
    while (this.saved.length < saved || this.pushed.length < pushed) await this.take(this);
  }

  heard(text) {
    (text.startsWith("pusher ") ? this.pushed : this.saved).push(text);
  }
}

/** The two events of a Socket.IO client, in order of arrival. */
const fromSocket = (socket) => async (hearer) => {
  const [event, payload] = await socket.inbox.take(
    ([name]) => name === "message-saved" || name === "message",
    "something that somebody sent",
  );
  hearer.heard(event === "message" ? payload : payload.message.body.value);
};

const fromEnvelopes = (plain) => async (hearer) => {
  const { event, data } = await plain.inbox.take(
    (item) => item.eventType === "ServerEvent" && ["message-saved", "message"].includes(item.event),
    "something that somebody sent",
  );
  hearer.heard(event === "message" ? data : data.message.body.value);
};

test("messages of four kinds of clients and two backends reach every client", async (t) => {
  const backend = newKey();
  const server = await start(t, {
    ...backend.settings,
    "pusher.app-id": APP.appId,
    "pusher.key": APP.key,
    "pusher.secret": APP.secret,
    "ws.text-event": "send-message",
    "limits.events-per-second": 0,
  });
  const v4 = await server.user("v4", { transports: ["polling", "websocket"] });
  const v2 = await server.user("v2", { generation: 2 });
  const envelopes = await Plain.user(server, "envelopes");
  const texts = await Plain.connect(server, { path: "/", query: "userId=texts" });
  texts.send("first");
  assert.equal(await texts.text(), "first");
  const pusher = new Pusher({ ...APP, host: "127.0.0.1", port: String(server.port), useTLS: false });
  const hearers = [
    new Hearer("v4", fromSocket(v4)),
    new Hearer("v2", fromSocket(v2)),
    new Hearer("envelopes", fromEnvelopes(envelopes)),
    new Hearer("texts", async (hearer) => hearer.heard(await texts.text())),
  ];
  hearers.at(-1).heard("first");

  const saving = {
    v4: (text) => ask(v4, "send-message", text),
    v2: (text) => ask(v2, "send-message", text),
    envelopes: (text) => envelopes.done("SendMessage", text),
    texts: async (text) => texts.send(text),
    http: async (text) => {
      const message = { from: { id: "http" }, room: "lobby", body: { value: text } };
      assert.equal((await call(server, backend.key, "POST", "/api/messages", message)).status, 201);
    },
  };
  const sending = Object.entries({ ...saving, pusher: (text) => pusher.trigger("lobby", "message", text) }).map(
    async ([name, send]) => {
      for (let n = 0; n < EACH; n += 1) await send(`${name} ${n}`);
    },
  );
  const count = 1 + EACH * Object.keys(saving).length;
  await Promise.all([...sending, ...hearers.map((hearer) => hearer.until(count, EACH))]);
  // A duplicate or late message would arrive before these.
  await ask(v4, "send-message", "last");
  await pusher.trigger("lobby", "message", "pusher's last");
  for (const hearer of hearers) await hearer.until(count + 2, EACH);

  const [{ saved: order }] = hearers;
  assert.equal(new Set(order).size, order.length, "each once");
  assert.deepEqual(order.slice(-2), ["last", "pusher's last"]);
  const inOrder = (name) => Array.from({ length: EACH }, (_, n) => `${name} ${n}`);
  for (const { name, saved, pushed } of hearers) {
    assert.deepEqual(saved, order, name);
    assert.deepEqual(pushed, inOrder("pusher"), `${name}: what Pusher's library sent`);
  }
  for (const name of Object.keys(saving)) {
    assert.deepEqual(order.filter((text) => text.startsWith(`${name} `)), inOrder(name), "in its sender's order");
  }
  const { data } = await ask(v2, "load-messages", { room: "lobby", after: 0, limit: 200 });
  assert.deepEqual(data.messages.map(({ body }) => body.value), order.slice(0, 200), "and that is the store's");
});
