// What arrives together is told in one piece: to every kind of client, the same events in the same order.

import assert from "node:assert/strict";
import { test } from "node:test";

import { GENERATIONS, TRANSPORTS, fence, inTime, once, start } from "./harness.js";
import { Plain } from "./plain.js";

const COUNT = 60;
const SETTINGS = { "limits.events-per-second": 0, "limits.events-in-flight": 0, "relay.message.to": "everyone" };

/** A relay's arguments: alone, with binary and text, or with a text that looks like an offset. */
const relayed = (n) => [{ n }, ...[[], [Buffer.from([n]), "text"], ["1"]][n % 3]];

/** The same as plain WebSocket has it: a list where there are several, and binary as base64. */
const inEnvelope = (n) => [{ n }, [{ n }, Buffer.from([n]).toString("base64"), "text"], [{ n }, "1"]][n % 3];

async function everyKind(server) {
  const sockets = [];
  for (const generation of GENERATIONS) {
    for (const transports of TRANSPORTS) sockets.push(await server.user("hearer", { generation, transports }));
  }
  return sockets;
}

const numbers = (socket, event, number) => socket.inbox.items.filter(([name]) => name === event).map(number);

for (const transports of [["polling"], ["websocket"]]) {
  test(`relays that come together over ${transports}`, async (t) => {
    const server = await start(t, SETTINGS);
    const hearers = await everyKind(server);
    const plain = await Plain.user(server, "hearer");
    const sender = await server.user("sender", { transports });
    const answers = [];
    // The sender is told of each event before its acknowledgement.
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

  test(`messages that come together over ${transports}, to different rooms`, async (t) => {
    const server = await start(t, SETTINGS);
    const hearers = await everyKind(server);
    const plain = await Plain.user(server, "hearer");
    const sender = await server.user("sender", { transports });
    for (let n = 0; n < COUNT; n += 1) {
      if (n === 20) sender.emit("join-room", { room: "den" });
      if (n === 40) sender.emit("leave-room", { room: "den" });
      // A few to one room, then a few to another; the sender hears the second for a while.
      sender.emit("send-message", { n, room: n % 8 < 5 ? "lobby" : "den" });
    }
    sender.emit("send-message", { n: COUNT });
    for (const socket of hearers) await once(socket, "message-saved", ({ message }) => message.body.n === COUNT);
    const inLobby = Array.from({ length: COUNT }, (_, n) => n).filter((n) => n % 8 < 5);
    const inDen = (n) => n % 8 >= 5 && n >= 20 && n < 40;
    const number = ([, { message }]) => message.body.n;
    for (const socket of hearers) assert.deepEqual(numbers(socket, "message-saved", number), inLobby);
    await once(sender, "message-saved", ({ message }) => message.body.n === COUNT);
    const heard = Array.from({ length: COUNT }, (_, n) => n).filter((n) => n % 8 < 5 || inDen(n));
    assert.deepEqual(numbers(sender, "message-saved", number), heard, "from the join to the leave, and nothing else");
    for (const n of [...inLobby, COUNT]) assert.equal((await plain.event("message-saved")).message.body.n, n);
  });
}

/** Clients of different generations have binary in different types. */
function bytes(argument) {
  return ArrayBuffer.isView(argument) || argument instanceof ArrayBuffer ? [...Buffer.from(argument)] : argument;
}
