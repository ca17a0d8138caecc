// Relays: events that the server forwards without interpreting them, as configured.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

import { BINARY, all, ask, done, fence, once, refused, start, untaken } from "./harness.js";

const EVERYONE = { "relay.message.to": "everyone" };

test("a relay to others excludes the sender's socket, but not the user's other sockets", async (t) => {
  const server = await start(t, { ...EVERYONE, "relay.cursor.to": "others" });
  const [ada, tab, bob] = [await server.user("ada"), await server.user("ada"), await server.user("bob")];
  assert.deepEqual(await ask(ada, "cursor", 1, 2), { success: true, data: null });
  for (const socket of [tab, bob]) assert.deepEqual(await all(socket, "cursor"), [1, 2]);
  await fence(ada, ada);
  assert.deepEqual(untaken(ada, "cursor"), []);
});

test("a relay to a room reaches its subscribers, and the sender must be one of them", async (t) => {
  const server = await start(t, { ...EVERYONE, "relay.draw.to": "room", "relay.draw.field": "board" });
  const [ada, bob, eve] = [await server.user("ada"), await server.user("bob"), await server.user("eve")];
  for (const socket of [ada, bob]) await done(socket, "join-room", { room: "den" });
  const args = [{ board: "den", x: 1 }, Buffer.from([7]), "more"];
  assert.equal((await ask(ada, "draw", ...args)).success, true);
  for (const socket of [ada, bob]) {
    const [first, binary, last] = await all(socket, "draw");
    assert.deepEqual([first, [...binary], last], [{ board: "den", x: 1 }, [7], "more"]);
  }
  assert.equal(await refused(eve, "draw", { board: "den" }), "forbidden");
  await done(ada, "leave-room", { room: "den" });
  assert.equal(await refused(ada, "draw", { board: "den" }), "forbidden");
  for (const args of [[], ["den"], [{ room: "den" }], [{ board: 7.5 }], [null]]) {
    assert.equal(await refused(bob, "draw", ...args), "bad-payload", JSON.stringify(args));
  }
  await fence(eve, eve, bob);
  assert.deepEqual([...untaken(eve, "draw"), ...untaken(bob, "draw")], []);
});

test("a relay to a room may exclude the sender", async (t) => {
  const settings = { "relay.draw.to": "room", "relay.draw.argument": 1, "relay.draw.except-sender": true };
  const server = await start(t, { ...EVERYONE, ...settings });
  const [ada, bob] = [await server.user("ada"), await server.user("bob")];
  for (const socket of [ada, bob]) await done(socket, "join-room", { room: "den" });
  ada.emit("draw", { x: 1 }, "den");
  assert.deepEqual(await all(bob, "draw"), [{ x: 1 }, "den"]);
  await fence(ada, ada);
  assert.deepEqual(untaken(ada, "draw", "event-error"), []);
});

test("a relay to a user reaches exactly the user's sockets", async (t) => {
  const server = await start(t, { ...EVERYONE, "relay.invite.to": "user", "relay.invite.field": "memberId" });
  const [ada, bob, tab, eve] = [
    await server.user("ada"),
    await server.user("bob"),
    await server.user("bob"),
    await server.user("eve"),
  ];
  assert.equal((await ask(ada, "invite", { memberId: "bob" })).success, true);
  for (const socket of [bob, tab]) assert.deepEqual(await all(socket, "invite"), [{ memberId: "bob" }]);
  await fence(ada, ada, eve);
  assert.deepEqual([...untaken(ada, "invite"), ...untaken(eve, "invite")], []);
});

test("a failed relay without acknowledgement is reported by event-error", async (t) => {
  const server = await start(t, { "relay.draw.to": "room", "relay.draw.argument": 0 });
  const ada = await server.user("ada");
  ada.emit("draw", "den");
  const error = await once(ada, "event-error");
  assert.deepEqual([error.event, error.code], ["draw", "forbidden"]);
});

test("relays declared by the operator replace the default one", async (t) => {
  const server = await start(t, { "relay.draw.to": "others" });
  const ada = await server.user("ada");
  assert.equal(await refused(ada, "message", "hello"), "unknown-event");
});

test("a relayed event keeps its order among the sender's saved messages", async (t) => {
  const server = await start(t, { "limits.events-per-second": 0 });
  const [ada, bob] = [await server.user("ada"), await server.user("bob")];
  const heard = [];
  bob.on("message", (n) => heard.push(n));
  bob.on("message-saved", ({ message }) => heard.push(message.body.n));
  for (let n = 0; n < 200; n += 2) {
    ada.emit("send-message", { n });
    ada.emit("message", n + 1);
  }
  await fence(ada, bob);
  assert.deepEqual(heard.slice(0, 200), Array.from({ length: 200 }, (_, n) => n));
});

test("blanks before the JSON of an event are not forwarded", async (t) => {
  const server = await start(t, EVERYONE);
  const [ada, raw] = [await server.user("ada"), await server.websocket()];
  raw.socket.send('40{"userId":"raw"}');
  await raw.frames.take((text) => text.includes('"session"'), "a session");
  for (const packet of ['42 ["message","A"]', '42\t\n["message","B"]', '427 ["message","C"]']) raw.socket.send(packet);
  raw.socket.send('451- ["message",{"_placeholder":true,"num":0}]');
  raw.socket.send(Buffer.from("D"));
  // Clients would read a blank as an acknowledgement id, and pass a callback as the last argument.
  for (const text of ["A", "B", "C"]) assert.deepEqual(await all(ada, "message"), [text]);
  const [binary, ...more] = await all(ada, "message");
  assert.deepEqual([String(binary), more], ["D", []]);
});

test("an invalid placeholder closes the sender's connection and is not forwarded", async (t) => {
  const server = await start(t);
  const [ada, raw] = [await server.user("ada"), await server.websocket()];
  raw.socket.send('40{"userId":"raw"}');
  await raw.frames.take((text) => text.includes('"session"'), "a session");
  raw.socket.send('451-1["message",{"_placeholder":true,"num":7}]');
  raw.socket.send(Buffer.from([1]));
  await raw.frames.take((text) => text === "closed", "the end");
  await fence(ada, ada);
  assert.equal(ada.connected, true);
  assert.deepEqual(untaken(ada, "message"), []);
});

test("a relay may not have a name reserved by the server or by Socket.IO", () => {
  for (const event of ["message-saved", "send-message", "session", "typing", "connect", "disconnect", "connect_error"]) {
    const settings = ["--set", `relay.${event}.to=everyone`];
    const { status, stderr, stdout } = spawnSync(BINARY, ["serve", "--listen", "127.0.0.1:0", ...settings], {
      encoding: "utf8",
      env: {},
      timeout: 15_000,
    });
    assert.equal(status, 2, event);
    assert.match(stderr, new RegExp(`relay\\.${event}`));
    assert.equal(stdout, "");
  }
});
