import assert from "node:assert/strict";
import { test } from "node:test";

import { conformance, PATIENT } from "./harness.js";
import { connect, WAYS } from "./session.js";

let namespaces = 0;

/** Clients of every kind, in a namespace that no other case uses. */
async function everyKind(server) {
  const namespace = `/dynamic-${++namespaces}`;
  const sockets = [];
  for (const way of WAYS) sockets.push(await connect(server, { ...way, namespace }));
  const speaker = await connect(server, { namespace });
  return { sockets, speaker };
}

/** Broadcasts this; the speaker is not among the receivers. */
async function say(speaker, message) {
  await speaker.ask("say", message);
}

conformance("rooms", PATIENT, (server) => {
  test("a socket is in a room from joining until leaving", async () => {
    const { speaker } = await everyKind(server);
    assert.deepEqual(await speaker.ask("rooms"), [[]]);
    await speaker.ask("join", "one");
    await speaker.ask("join", "two");
    await speaker.ask("join", "two");
    assert.deepEqual((await speaker.ask("rooms"))[0].sort(), ["one", "two"]);
    await speaker.ask("leave", "two");
    await speaker.ask("leave", "never joined");
    assert.deepEqual(await speaker.ask("rooms"), [["one"]]);
  });

  test("a broadcast to a room reaches exactly its members", async () => {
    const { sockets, speaker } = await everyKind(server);
    const [inside, outside] = [sockets.slice(0, 3), sockets.slice(3)];
    for (const socket of inside) await socket.ask("join", "room");
    await say(speaker, { rooms: ["room"], event: "said", data: { to: "room" } });
    for (const socket of inside) await socket.receives("said", { to: "room" });
    for (const socket of [...outside, speaker]) await socket.isAlive();
  });

  test("a socket in two of the rooms gets the event once", async () => {
    const { sockets, speaker } = await everyKind(server);
    for (const socket of sockets) {
      await socket.ask("join", "one");
      await socket.ask("join", "two");
    }
    await say(speaker, { rooms: ["one", "two", "three"], event: "said", data: 1 });
    for (const socket of sockets) {
      await socket.receives("said", 1);
      await socket.isAlive();
    }
  });

  test("a socket in an excluded room gets nothing", async () => {
    const { sockets, speaker } = await everyKind(server);
    for (const socket of sockets) await socket.ask("join", "room");
    for (const socket of sockets.slice(0, 2)) await socket.ask("join", "left out");
    await say(speaker, { rooms: ["room"], except: ["left out"], event: "said", data: 1 });
    for (const socket of sockets.slice(0, 2)) await socket.isAlive();
    for (const socket of sockets.slice(2)) await socket.receives("said", 1);
  });

  test("a broadcast without rooms reaches the whole namespace", async () => {
    const { sockets, speaker } = await everyKind(server);
    const elsewhere = await connect(server, { namespace: "/custom" });
    await speaker.session.send(...speaker.event(["say", { rooms: [], event: "said", data: "all" }], 76));
    for (const socket of [...sockets, speaker]) await socket.receives("said", "all");
    assert.equal((await speaker.next()).id, 76);
    await elsewhere.isAlive();
  });

  test("a socket's id is a room that contains only this socket", async () => {
    const { sockets, speaker } = await everyKind(server);
    for (const [index, socket] of sockets.entries()) {
      await say(speaker, { rooms: [socket.id], event: "said", data: index });
    }
    for (const [index, socket] of sockets.entries()) {
      await socket.receives("said", index);
      await socket.isAlive();
    }
  });

  test("a socket that left a room or was disconnected gets nothing", async () => {
    const { sockets, speaker } = await everyKind(server);
    for (const socket of sockets) await socket.ask("join", "room");
    const [left, gone, ...rest] = sockets;
    await left.ask("leave", "room");
    const main = gone.session;
    await main.send(`41${gone.prefix}`);
    await say(speaker, { rooms: ["room"], event: "said", data: 1 });
    await left.isAlive();
    for (const socket of rest) await socket.receives("said", 1);
  });

  test("a broadcast to an empty or unknown room is no error", async () => {
    const { speaker } = await everyKind(server);
    await say(speaker, { rooms: ["nobody"], event: "said", data: 1 });
    await say(speaker, { rooms: ["nobody"], except: ["nothing"], event: "said", data: 1 });
    await speaker.isAlive();
  });

  test("all sockets receive the events of two speakers in the same order", async () => {
    const { sockets, speaker } = await everyKind(server);
    const other = await connect(server, { namespace: speaker.namespace });
    for (const socket of sockets) await socket.ask("join", "room");
    for (let i = 0; i < 50; i++) {
      const id = `4${i}`;
      const by = [speaker, other][i % 2];
      await by.session.send(...by.event(["say", { rooms: ["room"], event: "said", data: i }], id));
    }
    const orders = [];
    for (const socket of sockets) {
      const heard = [];
      while (heard.length < 50) heard.push((await socket.next()).data[1]);
      orders.push(heard);
    }
    for (const order of orders) {
      assert.deepEqual(order, orders[0]);
      const bySpeaker = [0, 1].map((parity) => order.filter((i) => i % 2 === parity));
      for (const said of bySpeaker) assert.deepEqual(said, [...said].sort((a, b) => a - b));
    }
  });

  test("a volatile event reaches the clients that are ready", async () => {
    const { sockets, speaker } = await everyKind(server);
    const listener = sockets.find(({ session }) => session.transport === "websocket");
    await listener.ask("join", "room");
    await say(speaker, { rooms: ["room"], volatile: true, event: "now", data: 1 });
    const { type, data } = await listener.next();
    assert.deepEqual([type, data.slice(0, 2)], ["EVENT", ["now", 1]]);
  });

  test("a volatile event is dropped for a client that is not polling", async () => {
    const { sockets, speaker } = await everyKind(server);
    const listener = sockets.find(({ session }) => session.transport === "polling" && session.eio === 4);
    await listener.ask("join", "room");
    await say(speaker, { rooms: ["room"], volatile: true, event: "now", data: 1 });
    await say(speaker, { rooms: ["room"], event: "said", data: 2 });
    await listener.receives("said", 2);
  });

  test("a broadcast with acknowledgement collects the answers of all clients", async () => {
    const { sockets, speaker } = await everyKind(server);
    const listeners = [...sockets, speaker];
    await speaker.session.send(...speaker.event(["ask-everyone", { data: "who?", timeoutMs: 10_000 }], 77));
    for (const [index, socket] of listeners.entries()) {
      await socket.answer(await socket.isAsked("question", "who?"), `client ${index}`, "not counted");
    }
    const { type, id, data } = await speaker.next();
    assert.deepEqual([type, id], ["ACK", 77]);
    assert.deepEqual(data, [listeners.map((_, index) => `client ${index}`)]);
  });

  test("a client that does not answer in time is missing in the answers", async () => {
    const { sockets, speaker } = await everyKind(server);
    await speaker.session.send(...speaker.event(["ask-everyone", { data: "who?", timeoutMs: 4_000 }], 78));
    const answered = sockets.slice(1);
    for (const [index, socket] of answered.entries()) {
      await socket.answer(await socket.isAsked("question", "who?"), index);
    }
    await speaker.isAsked("question", "who?");
    const { type, id, data } = await speaker.next();
    assert.deepEqual([type, id, data], ["ACK", 78, [[0, 1, 2]]]);
    await speaker.isAlive();
  });

  test("an acknowledgement after the timeout is ignored", async () => {
    const { sockets, speaker } = await everyKind(server);
    await speaker.session.send(...speaker.event(["ask-everyone", { data: "who?", timeoutMs: 50 }], 79));
    const question = await speaker.isAsked("question", "who?");
    const { id, data } = await speaker.next();
    assert.deepEqual([id, data], [79, [[]]]);
    await speaker.answer(question, "too late");
    await speaker.isAlive();
    for (const socket of sockets) await socket.isAsked("question", "who?");
  });
});
