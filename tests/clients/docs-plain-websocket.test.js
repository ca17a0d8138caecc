// The blocks of docs/plain-websocket.md, run as they stand there.

import assert from "node:assert/strict";
import { test } from "node:test";

import { WebSocket } from "ws";

import { Inbox, done, once, start } from "./harness.js";
import { Plain } from "./plain.js";
import { Page } from "./docs.js";

const docs = await Page.of("plain-websocket.md");

/** A snippet in a page of its own: what it calls is put into the inbox, and its socket is closed with the test. */
function run(t, server, words, ...functions) {
  const text = docs.take("js", words);
  const inbox = new Inbox();
  const calls = functions.map((name) => (...args) => inbox.add([name, ...args]));
  const code = `${text.replaceAll("localhost:8000", server.host)}; return socket;`;
  const socket = new Function("WebSocket", ...functions, code)(WebSocket, ...calls);
  t.after(() => socket.terminate());
  return inbox;
}

test("bare texts", async (t) => {
  const server = await start(t);
  const bob = await server.user("bob");
  const inbox = run(t, server, "show(data)", "show");
  assert.deepEqual(await inbox.next("a text"), ["show", "hello"]);
  assert.equal(await once(bob, "message"), "hello");
  bob.emit("message", "hello yourself");
  assert.deepEqual(await inbox.next("a text"), ["show", "hello yourself"]);
});

test("bare texts that are saved", async (t) => {
  const [, section, key, value] = /^\[(\w+)\]\n([\w-]+) = "([\w-]+)"\n$/.exec(docs.take("toml", "text-event"));
  const server = await start(t, { [`${section}.${key}`]: value });
  const inbox = run(t, server, "show(data)", "show");
  assert.deepEqual(await inbox.next("a text"), ["show", "hello"]);
  const { messages } = await done(await server.user("bob"), "load-messages", { room: "lobby" });
  assert.deepEqual(messages.map(({ body }) => body), [{ value: "hello" }]);
});

test("the address that says who", async (t) => {
  const server = await start(t);
  const ada = await Plain.connect(server, { query: "userId=ada&name=Ada" });
  assert.deepEqual((await ada.done("SendMessage", { text: "hello" })).from, { id: "ada", name: "Ada" });
});

test("envelopes", async (t) => {
  const server = await start(t);
  const bob = await server.user("bob");
  const inbox = run(t, server, "ClientEvent", "answered", "received");
  const answer = (name) => inbox.take(([kind, event]) => kind === "answered" && event === name, name);
  const [, , noId, registered] = await answer("Register");
  assert.equal(noId, undefined);
  assert.deepEqual(registered.data.user, { id: "ada", name: "Ada" });
  const [, , requestId, { success, data: message }] = await answer("SendMessage");
  assert.deepEqual([requestId, success, message.body], [1, true, { text: "hello" }]);
  assert.deepEqual(await once(bob, "message-saved"), { success: true, message });
  const [, , saved] = await inbox.take(([kind, event]) => kind === "received" && event === "message-saved", "message-saved");
  assert.deepEqual(saved, { success: true, message });
});

test("the page has no block that is not run", () => docs.assertAllTaken());
