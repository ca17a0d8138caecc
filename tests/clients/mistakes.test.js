// The log line about a connection that was closed for invalid input.

import assert from "node:assert/strict";
import { test } from "node:test";

import { start } from "./harness.js";

const MESSAGE = "connection closed because the client violated the protocol";

/** A WebSocket that has joined the root namespace. */
async function connected(server, query) {
  const { socket, frames } = await server.websocket({}, query);
  if (query === undefined) {
    await frames.take((text) => text.startsWith("0"), "OPEN");
    socket.send("40");
  }
  await frames.take((text) => text.startsWith("40"), "CONNECT");
  return { socket, frames };
}

/** CONNECT in the encoding of `socket.io-msgpack-parser`. */
const MSGPACK = Buffer.from("83a47479706500a464617461c0a36e7370a12f", "hex");

const CASES = [
  [MSGPACK, "forced close", /msgpack/],
  [Buffer.from([1, 2, 3]), "forced close", /^a binary message that is no attachment$/],
  ["4x", "forced close", /no packet of Socket\.IO/],
  ["42[]", "forced close", /no JSON array with a name/],
  ['42["connect"]', "forced close", /a reserved name/],
  ['42/nope,["a"]', "forced server close", /a namespace that the client has not joined/],
  ["40", "forced server close", /asked for already/],
  ["41x", "forced close", /DISCONNECT with data/],
  ["43x", "forced close", /acknowledgement/],
  ['4511-["a"]', "forced close", /more attachments/],
  ["2", "transport error", /a ping or a pong/],
  ["x", "parse error", /a type that Engine\.IO does not have/],
  ["b?", "parse error", /base64/],
];

test("over WebSocket contains address and socket, but not the input", async (t) => {
  let server;
  for (const [index, [packet, reason, why]] of CASES.entries()) {
    // At most ten such lines are written per second.
    if (index % 6 === 0) server = await start(t);
    const { socket, frames } = await connected(server);
    socket.send(packet);
    await frames.take((text) => text === "closed", "the end");
    const line = await server.logged({ message: MESSAGE });
    assert.match(line.why, why);
    assert.equal(line.reason, reason, line.why);
    assert.equal(line.address, "127.0.0.1");
    assert.match(line.socket, /^[\w-]{16}$/);
    assert.equal(line.level, "INFO");
  }
  const { socket, frames } = await connected(server);
  socket.send('451-["secret",{"_placeholder":true,"num":0}]');
  socket.send('42["secret"]');
  await frames.take((text) => text === "closed", "the end");
  assert.match((await server.logged({ message: MESSAGE })).why, /attachments of the previous packet are missing/);
  assert.ok(!server.stderr.includes("secret"));
});

test("is also written before CONNECT, and for v2 clients", async (t) => {
  const server = await start(t);
  const early = await server.websocket();
  early.socket.send(MSGPACK);
  assert.match((await server.logged({ message: MESSAGE })).why, /msgpack/);
  const wrong = await server.websocket();
  wrong.socket.send('40"token"');
  assert.match((await server.logged({ message: MESSAGE })).why, /no JSON object/);
  const old = await connected(server, "EIO=3");
  old.socket.send(Buffer.from([9]));
  assert.match((await server.logged({ message: MESSAGE })).why, /Engine\.IO 3/);
});

test("is also written over polling", async (t) => {
  const server = await start(t);
  for (const [body, why] of [
    ["x", /a type that Engine\.IO does not have/],
    ["", /no payload/],
    ["4x", /no packet of Socket\.IO/],
    [`b${MSGPACK.toString("base64")}`, /msgpack/],
  ]) {
    const { body: open } = await server.request("/socket.io/?EIO=4&transport=polling");
    const { sid } = JSON.parse(open.slice(1));
    await server.request(`/socket.io/?EIO=4&transport=polling&sid=${sid}`, { method: "POST", body });
    assert.match((await server.logged({ message: MESSAGE })).why, why);
  }
});

test("connections closed in a loop are logged at a limited rate", async (t) => {
  const server = await start(t);
  const count = 60;
  const began = performance.now();
  for (let i = 0; i < count; i += 1) {
    const { socket, frames } = await server.websocket();
    socket.send("x");
    await frames.take((text) => text === "closed", "the end");
  }
  const seconds = (performance.now() - began) / 1000;
  const lines = server.stderr.split(MESSAGE).length - 1;
  assert.ok(lines <= 10 * (seconds + 2), `${lines} lines in ${seconds} s`);
  assert.ok(lines > 0);
});
