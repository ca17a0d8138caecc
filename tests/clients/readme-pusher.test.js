// Runs the snippets of the README's chapter on Pusher's server library unchanged.

import assert from "node:assert/strict";
import { test } from "node:test";

import Pusher from "pusher";
import io2 from "socket.io-client-2";
import { io } from "socket.io-client-4";

import { done, fence, inTime, once, start, untaken } from "./harness.js";
import { Chapter } from "./readme.js";

const chapter = await Chapter.of("Coming from Pusher");

/** The table `[pusher]`, as settings for the harness. */
function settings() {
  const toml = chapter.take("toml", "secret");
  assert.match(toml, /^\[pusher\]$/m);
  return Object.fromEntries([...toml.matchAll(/^(\S+) = "(.+)"$/gm)].map(([, key, value]) => [`pusher.${key}`, value]));
}

/** Runs a snippet; its imports and variables come from `names`. Returns its variable `result`. */
function run(server, snippet, names, result) {
  const text = snippet.replace(/^import .*$/gm, "").replaceAll("8000", server.port);
  const body = `return (async () => { ${text}\n return ${result}; })();`;
  return inTime(new Function(...Object.keys(names), body)(...Object.values(names)), "the end of the snippet");
}

/** The page of the README, once it has joined its room. */
async function open(t, server, shown) {
  const socket = await run(server, chapter.take("js", "join-room"), { io, show: shown }, "socket");
  t.after(() => socket.disconnect());
  server.watch(socket);
  await once(socket, "session");
  // Acknowledged after the `join-room` of the page.
  await done(socket, "list-rooms", {});
  return socket;
}

function runBackend(server) {
  const env = { PUSHER_SECRET: settings()["pusher.secret"] };
  return run(server, chapter.take("js", "sendToUser"), { Pusher, process: { env } }, "pusher");
}

test("the backend's events reach the page", async (t) => {
  const server = await start(t, settings());
  const shown = [];
  const socket = await open(t, server, (text) => shown.push(text));
  await runBackend(server);
  await once(socket, "MEMBER_DEACTIVATED");
  assert.deepEqual(shown, ["shipped: 7", "deactivated: requested"]);
});

test("environment variables configure the API as well", async (t) => {
  const table = settings();
  const variables = { APP_ID: table["pusher.app-id"], KEY: table["pusher.key"], SECRET: table["pusher.secret"] };
  const server = await start(t, {}, Object.fromEntries(Object.entries(variables).map(([name, value]) => [`SOCKEYE_PUSHER__${name}`, value])));
  const pusher = await runBackend(server);
  assert.equal((await pusher.get({ path: "/channels" })).status, 200);
});

test("an event is not sent to the socket in socket_id, in the oldest generation either", async (t) => {
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
    await run(server, chapter.take("js", "x-socket-id"), { socket: sender, fetch });
    for (const hearer of [other, senders[1 - index]]) assert.equal(await once(hearer, "/orders/7/ship"), 1);
    await fence(other, sender);
    assert.deepEqual(untaken(sender, "/orders/7/ship"), []);
  }
});

test("every snippet of the chapter is tested", () => chapter.assertAllTaken());
