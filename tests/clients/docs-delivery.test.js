// The blocks of docs/delivery-and-recovery.md, run as they stand there.

import assert from "node:assert/strict";
import { test } from "node:test";

import { done, inTime, start } from "./harness.js";
import { Page } from "./docs.js";

const docs = await Page.of("delivery-and-recovery.md");

/** Runs a block on a page whose messages are in `shown`. */
function run(words, socket, names = {}) {
  const shown = new Map();
  const all = { socket, show: (message) => shown.set(message.id, message), forget: () => shown.clear(), ...names };
  const code = `${docs.take("js", words)}\nreturn typeof catchUp === "function" ? catchUp : undefined;`;
  const catchUp = new Function(...Object.keys(all), code)(...Object.values(all));
  return { shown, catchUp };
}

test("a client catches up with what was said, changed and deleted while it was gone", async (t) => {
  const server = await start(t, { "recovery.window": "0s", "limits.events-per-second": "0" });
  const ada = await server.user("ada");
  const say = (text) => done(ada, "send-message", { room: "tea", text });
  const [first, second] = [await say("first"), await say("second")];
  const bob = server.client({ auth: { userId: "bob", name: "Bob" } });
  const { shown, catchUp } = run("const seen", bob);
  const texts = () => [...shown.values()].map(({ body }) => body.text);

  await inTime(new Promise((resolve) => bob.once("connect", resolve).connect()), "the connection");
  await catchUp("tea");
  assert.deepEqual(texts(), ["first", "second"]);

  bob.disconnect();
  await done(ada, "edit-message", { id: first.id, text: "first, changed" });
  await done(ada, "delete-message", { id: second.id });
  for (let n = 0; n < 250; n += 1) await say(`later ${n}`);
  await inTime(new Promise((resolve) => bob.once("connect", resolve).connect()), "the connection");
  await catchUp("tea");
  assert.deepEqual(texts().slice(0, 3), ["first, changed", undefined, "later 0"]);
  assert.equal(shown.size, 252, "more than one answer holds");
});

test("a client that was recovered asks for nothing", () => {
  const asked = [];
  const connect = [];
  const socket = { recovered: true, on: (_, listener) => connect.push(listener) };
  run("socket.recovered", socket, { catchUp: async (room) => asked.push(room) });
  connect[0]();
  assert.deepEqual(asked, []);
  socket.recovered = false;
  connect[0]();
  assert.deepEqual(asked, ["tea"]);
});

test("the page has no block that is not run", () => docs.assertAllTaken());
