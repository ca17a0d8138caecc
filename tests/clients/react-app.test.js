// A React app without sockeye-specific code: `autoConnect` is its only option, and it uses no acknowledgements.

import assert from "node:assert/strict";
import { test } from "node:test";

import { io } from "socket.io-client-4";

import { done, fence, once, start, untaken } from "./harness.js";

const PAYLOAD = { senderId: "u-1", receiverId: "u-2", text: "hello", image: "data:image/png;base64,AAAA" };

/** The page: its state, and its effect, which returns the clean-up function. */
function app(server) {
  const socket = server.watch(io(server.url, { autoConnect: false }));
  const shown = [];
  const effect = () => {
    const saved = ({ success, message }) => success && shown.push(message);
    socket.connect();
    socket.on("message-saved", saved);
    return () => {
      socket.off("message-saved", saved);
      socket.disconnect();
    };
  };
  return { socket, shown, effect };
}

test("the app connects after login, sends without acknowledgement and shows the saved messages", async (t) => {
  const server = await start(t);
  const [one, other] = [app(server), app(server)];
  assert.equal(one.socket.connected, false);
  for (const page of [one, other]) {
    page.effect();
    await once(page.socket, "session");
  }

  one.socket.emit("send-message", PAYLOAD);

  for (const { socket, shown } of [one, other]) {
    const { success, message } = await once(socket, "message-saved");
    assert.equal(success, true);
    assert.deepEqual(shown, [message]);
    assert.deepEqual(message.body, PAYLOAD);
    assert.equal(JSON.stringify(message.body), JSON.stringify(PAYLOAD), "in the order it was sent");
  }
});

test("without auth each page is a separate guest, and senderId does not identify the user", async (t) => {
  const server = await start(t);
  const [one, other] = [app(server), app(server)];
  const sessions = [];
  for (const page of [one, other]) {
    page.effect();
    sessions.push(await once(page.socket, "session"));
  }
  const [first, second] = sessions.map(({ user }) => user);
  for (const { id, name } of [first, second]) {
    assert.match(id, /^guest-./);
    assert.match(name, /^Guest \d+$/);
  }
  assert.notEqual(first.id, second.id);
  one.socket.emit("send-message", PAYLOAD);
  const { message } = await once(other.socket, "message-saved");
  assert.deepEqual(message.from, first);
});

test("in StrictMode the effect runs twice, and one connection remains", async (t) => {
  const server = await start(t);
  const watcher = await server.user("watcher");
  const { socket, shown, effect } = app(server);
  const cleanUp = effect();
  cleanUp();
  effect();
  const { socketId } = await once(socket, "session");
  assert.equal(socketId, socket.id);

  await done(watcher, "send-message", { text: "to one page" });
  await once(socket, "message-saved");
  await fence(watcher, socket);
  assert.equal(shown.length, 1, "heard once");
  assert.deepEqual(untaken(socket, "session", "message-saved"), []);
  await server.logged({ message: "connected", socket: socketId });
});

test("in StrictMode with a connection made in between, each connect and disconnect is logged with its reason", async (t) => {
  const server = await start(t);
  const { socket, effect } = app(server);
  const ids = [];
  for (let round = 0; round < 2; round += 1) {
    const cleanUp = effect();
    const { socketId } = await once(socket, "session");
    ids.push(socketId);
    await server.logged({ message: "connected", socket: socketId });
    cleanUp();
    assert.equal(await once(socket, "disconnect"), "io client disconnect");
    await server.logged({ message: "disconnected", socket: socketId, reason: "client namespace disconnect" });
  }
  assert.notEqual(ids[0], ids[1]);
});

test("receiverId can be configured to make a direct message", async (t) => {
  const server = await start(t, { "rooms.recipient-field": "receiverId" });
  const { socket, effect } = app(server);
  effect();
  const { user } = await once(socket, "session");
  const receiver = await server.user("u-2");
  const third = await server.user("u-3");

  socket.emit("send-message", PAYLOAD);

  const { message } = await once(receiver, "message-saved");
  assert.equal(message.room, `dm:${user.id}`, "as its receiver sees it");
  assert.deepEqual(message.body, PAYLOAD);
  const own = await once(socket, "message-saved");
  assert.equal(own.message.room, "dm:u-2", "as its sender sees it");
  await fence(socket, third);
  assert.deepEqual(untaken(third, "message-saved"), []);
});

test("without a receiverId it still goes to the lobby", async (t) => {
  const server = await start(t, { "rooms.recipient-field": "receiverId" });
  const [sender, third] = [await server.user("u-1"), await server.user("u-3")];
  const message = await done(sender, "send-message", { senderId: "u-1", text: "to all" });
  assert.equal(message.room, "lobby");
  assert.deepEqual((await once(third, "message-saved")).message, message);
});
