// The blocks of docs/pusher.md, run as they stand there.

import assert from "node:assert/strict";
import { test } from "node:test";

import Pusher from "pusher";
import io2 from "socket.io-client-2";
import { io } from "socket.io-client-4";

import { done, fence, inTime, once, start, untaken } from "./harness.js";
import { Page } from "./docs.js";

const docs = await Page.of("pusher.md");

/** The table `[pusher]` as the harness takes settings. */
function settings() {
  const toml = docs.take("toml", "secret");
  assert.match(toml, /^\[pusher\]$/m);
  return Object.fromEntries([...toml.matchAll(/^(\S+) = "(.+)"$/gm)].map(([, key, value]) => [`pusher.${key}`, value]));
}

/** Runs a snippet: what it imports and what its surroundings have come from `names`. Returns what it calls `result`. */
function run(server, snippet, names, result) {
  const text = snippet.replace(/^import .*$/gm, "").replaceAll("8000", server.port);
  const body = `return (async () => { ${text}\n return ${result}; })();`;
  return inTime(new Function(...Object.keys(names), body)(...Object.values(names)), "the end of the snippet");
}

/** The browser page that the document shows, once it is in its room. */
async function open(t, server, shown) {
  const socket = await run(server, docs.take("js", "join-room"), { io, show: shown }, "socket");
  t.after(() => socket.disconnect());
  server.watch(socket);
  await once(socket, "session");
  // Acknowledged after the page's own `join-room`.
  await done(socket, "list-rooms", {});
  return socket;
}

function runBackend(server) {
  const env = { PUSHER_SECRET: settings()["pusher.secret"] };
  return run(server, docs.take("js", "sendToUser"), { Pusher, process: { env } }, "pusher");
}

test("the backend's events reach the page", async (t) => {
  const server = await start(t, settings());
  const shown = [];
  const socket = await open(t, server, (text) => shown.push(text));
  await runBackend(server);
  await once(socket, "MEMBER_DEACTIVATED");
  assert.deepEqual(shown, ["shipped: 7", "deactivated: requested"]);
});

test("the variables set it up as well", async (t) => {
  const table = settings();
  const variables = { APP_ID: table["pusher.app-id"], KEY: table["pusher.key"], SECRET: table["pusher.secret"] };
  const server = await start(t, {}, Object.fromEntries(Object.entries(variables).map(([name, value]) => [`SOCKEYE_PUSHER__${name}`, value])));
  const pusher = await runBackend(server);
  assert.equal((await pusher.get({ path: "/channels" })).status, 200);
});

test("who sent it does not hear it, in the oldest generation either", async (t) => {
  const server = await start(t, settings());
  const pusher = await runBackend(server);
  const other = await server.user("other");
  await done(other, "join-room", { room: "orders" });
  const old = server.watch(io2(server.url, { forceNew: true, query: { userId: "8" } }), "error");
  await once(old, "session");
  await done(old, "join-room", { room: "orders" });
  const senders = [await open(t, server, () => {}), old];
  for (const [index, sender] of senders.entries()) {
    const fetch = (path, { headers }) => pusher.trigger("orders", path, 1, { socket_id: headers["x-socket-id"] });
    await run(server, docs.take("js", "x-socket-id"), { socket: sender, fetch });
    for (const hearer of [other, senders[1 - index]]) assert.equal(await once(hearer, "/orders/7/ship"), 1);
    await fence(other, sender);
    assert.deepEqual(untaken(sender, "/orders/7/ship"), []);
  }
});

test("the page has no block that is not run", () => docs.assertAllTaken());
