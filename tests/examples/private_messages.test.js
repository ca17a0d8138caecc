import assert from "node:assert/strict";
import { test } from "node:test";

import { example, next } from "./harness.js";

example("private_messages", (server) => {
  /** Someone who has come, or come back: the socket, the session, and the users that it has been shown. */
  async function enter(auth) {
    const socket = await server.connect({ auth });
    const [event, session] = await next(socket);
    assert.equal(event, "session");
    const [name, users] = await next(socket);
    assert.equal(name, "users");
    return { socket, ...session, users };
  }

  const shown = ({ userID }, username, connected, messages = []) => ({ userID, username, connected, messages });

  test("gives everyone an id and a session, and shows who is there", async () => {
    const ada = await enter({ username: "Ada" });
    assert.deepEqual(ada.users, [shown(ada, "Ada", true)]);
    const bob = await enter({ username: "Bob" });
    assert.equal(new Set([ada.userID, ada.sessionID, bob.userID, bob.sessionID]).size, 4);
    assert.deepEqual(bob.users, [shown(ada, "Ada", true), shown(bob, "Bob", true)]);
    assert.deepEqual(await next(ada.socket), ["user connected", shown(bob, "Bob", true)]);
    bob.socket.disconnect();
    assert.deepEqual(await next(ada.socket), ["user disconnected", bob.userID]);
    const eve = await enter({ username: "Eve" });
    assert.deepEqual(eve.users, [shown(ada, "Ada", true), shown(bob, "Bob", false), shown(eve, "Eve", true)]);
  });

  test("refuses a client without a session and without a name", async () => {
    for (const auth of [undefined, {}, { username: "" }, { username: 1 }, { sessionID: "unknown" }]) {
      assert.deepEqual(await next(server.client({ auth })), ["connect_error", "invalid username"]);
    }
  });

  test("delivers a message to all tabs of both, and to nobody else", async () => {
    const ada = await enter({ username: "Ada" });
    const bob = await enter({ username: "Bob" });
    const eve = await enter({ username: "Eve" });
    const tab = await enter({ sessionID: ada.sessionID });
    for (const { socket } of [ada, bob, eve, tab]) socket.inbox.items.length = 0;
    bob.socket.emit("private message", { content: "hello", to: ada.userID, from: eve.userID });
    const message = { content: "hello", from: bob.userID, to: ada.userID };
    for (const { socket } of [ada, tab]) assert.deepEqual(await heard(socket), ["private message", message]);
    tab.socket.emit("private message", { content: "hi", to: bob.userID });
    const answer = { content: "hi", from: ada.userID, to: bob.userID };
    for (const { socket } of [ada, bob]) assert.deepEqual(await heard(socket), ["private message", answer]);
    bob.socket.emit("private message", { content: "you?", to: eve.userID });
    assert.equal((await heard(eve.socket))[1].content, "you?", "the first that she hears of");
  });

  test("knows a session and its messages when it comes back", async () => {
    const ada = await enter({ username: "Ada" });
    const bob = await enter({ username: "Bob" });
    bob.socket.disconnect();
    ada.socket.emit("private message", { content: "hello", to: bob.userID });
    assert.deepEqual(await heard(ada.socket, "user disconnected"), ["user disconnected", bob.userID]);
    const eve = await enter({ username: "Eve" });
    const again = await enter({ sessionID: bob.sessionID });
    assert.deepEqual([again.userID, again.sessionID], [bob.userID, bob.sessionID]);
    const message = { content: "hello", from: ada.userID, to: bob.userID };
    const all = [shown(ada, "Ada", true, [message]), shown(bob, "Bob", true), shown(eve, "Eve", true)];
    assert.deepEqual(again.users, all);
    assert.deepEqual(eve.users[0].messages, [], "they are not hers");
  });

  test("says that a user has gone when the last tab has gone", async () => {
    const ada = await enter({ username: "Ada" });
    const bob = await enter({ username: "Bob" });
    const tab = await enter({ sessionID: bob.sessionID });
    assert.deepEqual(await next(ada.socket), ["user connected", shown(bob, "Bob", true)]);
    assert.deepEqual(await next(ada.socket), ["user connected", shown(bob, "Bob", true)]);
    bob.socket.disconnect();
    tab.socket.emit("private message", { content: "still here", to: ada.userID });
    assert.equal((await next(ada.socket))[0], "private message");
    tab.socket.disconnect();
    assert.deepEqual(await next(ada.socket), ["user disconnected", bob.userID]);
  });

  test("survives what is no message", async () => {
    const [ada, bob] = [await enter({ username: "Ada" }), await enter({ username: "Bob" })];
    for (const message of [undefined, null, "hello", { content: 1, to: bob.userID }, { content: "hello" }]) {
      ada.socket.emit("private message", message);
    }
    ada.socket.emit("private message", { content: "hello", to: bob.userID });
    assert.equal((await next(bob.socket))[1].content, "hello");
  });

  /** The next private message, or other event of this name. */
  function heard(socket, event = "private message") {
    return socket.inbox.take(([name]) => name === event, event);
  }
});
