// Events of one commit or turn are sent in one write: every kind of client receives the same events in the same
// order, with acknowledgements in their places.

import assert from "node:assert/strict";
import { test } from "node:test";

import { GENERATIONS, TRANSPORTS, done, fence, inTime, once, start } from "./harness.js";
import { Plain } from "./plain.js";

const COUNT = 60;
const SETTINGS = {
  "limits.events-per-second": 0,
  "limits.events-in-flight": 0,
  "limits.sockets-per-user": 0,
  "limits.sockets-per-address": 0,
  "relay.message.to": "everyone",
};

/** Arguments of a relay: plain, with binary and text, or with a text that looks like an offset. */
const relayed = (n) => [{ n }, ...[[], [Buffer.from([n]), "text"], ["1"]][n % 3]];

/** The same arguments for plain WebSocket: an array if there are several, and binary as base64. */
const inEnvelope = (n) => [{ n }, [{ n }, Buffer.from([n]).toString("base64"), "text"], [{ n }, "1"]][n % 3];

async function everyKind(server) {
  const sockets = [];
  for (const generation of GENERATIONS) {
    for (const transports of TRANSPORTS) sockets.push(await server.user("hearer", { generation, transports }));
  }
  // Like clients without offsets.
  const query = { recovery: "false" };
  for (const transports of TRANSPORTS) sockets.push(await server.user("hearer", { transports, query }));
  return sockets;
}

const numbers = (socket, event, number) => socket.inbox.items.filter(([name]) => name === event).map(number);

for (const transports of [["polling"], ["websocket"]]) {
  test(`relays of one turn over ${transports}`, async (t) => {
    const server = await start(t, SETTINGS);
    const hearers = await everyKind(server);
    const plain = await Plain.user(server, "hearer");
    const sender = await server.user("sender", { transports });
    const answers = [];
    // The sender receives each event before its acknowledgement.
    const answered = new Promise((resolve) => {
      for (let n = 0; n < COUNT; n += 1) {
        sender.emit("message", ...relayed(n), () => {
          answers.push([n, sender.inbox.items.some(([name, payload]) => name === "message" && payload.n === n)]);
          if (answers.length === COUNT) resolve();
        });
      }
    });
    await inTime(answered, "all acknowledgements");
    assert.deepEqual(answers, Array.from({ length: COUNT }, (_, n) => [n, true]));
    await fence(sender, sender, ...hearers);
    for (const socket of [sender, ...hearers]) {
      const heard = socket.inbox.items.filter(([name]) => name === "message");
      assert.deepEqual(heard.map(([, ...args]) => args.map(bytes)), Array.from({ length: COUNT }, (_, n) => relayed(n).map(bytes)));
    }
    for (let n = 0; n < COUNT; n += 1) assert.deepEqual(await plain.event("message"), inEnvelope(n));
  });

  test(`messages of one commit over ${transports}, to different rooms`, async (t) => {
    const server = await start(t, SETTINGS);
    const hearers = await everyKind(server);
    const plain = await Plain.user(server, "hearer");
    const sender = await server.user("sender", { transports });
    for (let n = 0; n < COUNT; n += 1) {
      if (n === 20) sender.emit("join-room", { room: "den" });
      if (n === 40) sender.emit("leave-room", { room: "den" });
      // Several to one room, then several to another, to which the sender belongs for a while.
      sender.emit("send-message", { n, room: n % 8 < 5 ? "lobby" : "den" });
    }
    sender.emit("send-message", { n: COUNT });
    for (const socket of hearers) await once(socket, "message-saved", ({ message }) => message.body.n === COUNT);
    const inLobby = Array.from({ length: COUNT }, (_, n) => n).filter((n) => n % 8 < 5);
    const inDen = (n) => n % 8 >= 5 && n >= 20 && n < 40;
    const number = ([, { message }]) => message.body.n;
    for (const socket of hearers) {
      assert.deepEqual(numbers(socket, "message-saved", number), inLobby);
      for (const [name, ...args] of socket.inbox.items) if (name === "message-saved") assert.equal(args.length, 1);
    }
    await once(sender, "message-saved", ({ message }) => message.body.n === COUNT);
    const heard = Array.from({ length: COUNT }, (_, n) => n).filter((n) => n % 8 < 5 || inDen(n));
    assert.deepEqual(numbers(sender, "message-saved", number), heard, "from the join to the leave, and nothing else");
    for (const n of [...inLobby, COUNT]) assert.equal((await plain.event("message-saved")).message.body.n, n);
  });
}

test("acknowledgements arrive in the order of the events, with or without a commit", async (t) => {
  const server = await start(t, SETTINGS);
  // Enough receivers for a broadcast to take a while.
  await Promise.all(Array.from({ length: 100 }, () => server.user("hearer")));
  const senders = await Promise.all([1, 2, 3, 4].map((n) => server.user(`sender ${n}`)));
  const all = Array.from({ length: COUNT }, (_, n) => n);
  const answers = senders.map((sender) => {
    const order = [];
    const answered = new Promise((resolve) => {
      // One event is answered after a commit, the other at once.
      for (const n of all) sender.emit(n % 2 === 0 ? "send-message" : "nonsense", { n }, () => order.push(n) === COUNT && resolve());
    });
    return inTime(answered, "all answers").then(() => order);
  });
  for (const order of await Promise.all(answers)) assert.deepEqual(order, all);
});

test("acknowledgements keep their places among events", async (t) => {
  const server = await start(t, SETTINGS);
  await Promise.all([1, 2, 3].map(() => server.user("hearer")));
  const devices = await Promise.all([1, 2].map(() => server.user("ada")));
  const { id } = await done(devices[0], "send-message", { n: 0 });
  const stale = [];
  const edits = devices.map((device) => {
    let [told, count] = [0, 0];
    device.on("message-edited", ({ message }) => (told = message.revision));
    const answered = new Promise((resolve) => {
      const answer = ({ data: { revision } }) => {
        if (revision < told) stale.push([revision, told]);
        count += 1;
        if (count === 5 * COUNT) resolve();
      };
      for (let n = 0; n < 5 * COUNT; n += 1) device.emit("edit-message", { id, n }, answer);
    });
    return inTime(answered, "all answers");
  });
  await Promise.all(edits);
  // An acknowledgement may be delayed by another task that is processing the socket's next event; that is rare.
  assert.ok(stale.length < COUNT, `${stale.length} of ${10 * COUNT} answers told less than the events before them`);
});

/** Clients of different generations use different types for binary. */
function bytes(argument) {
  return ArrayBuffer.isView(argument) || argument instanceof ArrayBuffer ? [...Buffer.from(argument)] : argument;
}
