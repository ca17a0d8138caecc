// A restart keeps the sockets: after SIGTERM and a start, unchanged clients are recovered.

import assert from "node:assert/strict";
import { mkdir, readFile, readdir, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";

import { call, emit, newKey } from "./api.js";
import { TRANSPORTS, ask, done, fence, once, start, untaken, upgraded } from "./harness.js";
import { HS256, now, token } from "./jwt.js";

/** An official client's default behaviour, with shorter delays. */
const RECONNECTING = { reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 100 };
const AT_ONCE = { "server.drain": "0s" };
const RELAYS = { "relay.message.to": "everyone", "relay.draw.to": "room", "relay.draw.field": "room" };
const TAKEN_UP = "sockets of the process before were taken up";
const IGNORED = "the saved sockets of the process before are ignored";

const fileOf = (server) => join(server.folder, "data", "sockeye.sockets");

/** Ends the server; `between` may change its files. Then starts it at the same address. */
async function restart(server, between = async () => {}) {
  server.terminate();
  assert.deepEqual(await server.exited(), { code: 0, signal: null });
  await between();
  await server.start(server.port);
}

/** The numbers that a client hears, in events with and without attachments. */
function hearing(socket) {
  const heard = [];
  socket.on("session", () => heard.push("session"));
  socket.on("message", (n) => typeof n === "number" && heard.push(n));
  socket.on("draw", ({ n }, picture) => heard.push(Buffer.from(picture)[0] === n ? n : "another picture"));
  socket.on("server-closing", () => heard.push("closing"));
  return heard;
}

/** Emits one event for each number: to everyone, and with an attachment to the room "den". */
async function tell(sender, ...numbers) {
  for (const n of numbers) {
    const sent = n % 2 === 0 ? ask(sender, "message", n) : ask(sender, "draw", { room: "den", n }, Buffer.from([n]));
    assert.equal((await sent).success, true);
  }
}

/** Makes a client go away without the server's help; it does not come back by itself. */
async function leave(socket) {
  socket.io.reconnection(false);
  socket.io.engine.close();
  await once(socket, "disconnect");
}

/** Connects a client again. Returns `socket.recovered`. */
async function back(socket) {
  socket.connect();
  await once(socket, "connect");
  return socket.recovered;
}

for (const transports of TRANSPORTS) {
  test(`over ${transports.join(" upgraded to ")} clients are recovered, twice, and hear everything once`, async (t) => {
    const server = await start(t, { ...RELAYS, ...AT_ONCE });
    const [ada, bob] = [
      await server.user("ada", { transports, ...RECONNECTING }),
      await server.user("bob", { transports, ...RECONNECTING }),
    ];
    await Promise.all([ada, bob].map(upgraded));
    for (const socket of [ada, bob]) await done(socket, "join-room", { room: "den" });
    const heard = hearing(ada);
    const { id } = ada;
    await tell(bob, 1, 2, 3);
    for (const first of [4, 7]) {
      await restart(server);
      assert.equal((await server.logged({ message: TAKEN_UP })).sockets, 2);
      for (const socket of [ada, bob]) await once(socket, "connect");
      assert.deepEqual([ada.recovered, bob.recovered, ada.id], [true, true, id]);
      await Promise.all([ada, bob].map(upgraded));
      await tell(bob, first, first + 1, first + 2);
    }
    await fence(bob, ada);
    assert.deepEqual(heard.filter((item) => item !== "closing"), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });
}

describe("a restart", () => {
  test("keeps the events that a client has missed before and after it, with their attachments", async (t) => {
    const { key, settings } = newKey();
    const server = await start(t, { ...settings, ...RELAYS, ...AT_ONCE });
    const [ada, bob] = [await server.user("ada"), await server.user("bob", RECONNECTING)];
    for (const socket of [ada, bob]) await done(socket, "join-room", { room: "den" });
    const heard = hearing(ada);
    await tell(bob, 1, 2);
    await fence(bob, ada);
    const { id } = ada;
    await leave(ada);
    await server.logged({ message: "away", socket: id });
    await tell(bob, 3, 4, 5);
    await restart(server);
    await emit(server, key, { event: "message", data: 6, to: { everyone: true } });
    await once(bob, "connect");
    await tell(bob, 7);
    assert.equal(await back(ada), true);
    await tell(bob, 8);
    await fence(bob, ada);
    assert.deepEqual(heard, [1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test("keeps all namespaces and rooms of a client, and what the server told as its last event", async (t) => {
    const { key, settings } = newKey();
    const server = await start(t, { ...settings, ...AT_ONCE });
    const ada = await server.user("ada", RECONNECTING);
    await done(ada, "join-room", { room: "den" });
    await done(ada, "join-room", { room: "attic" });
    await done(ada, "leave-room", { room: "attic" });
    // The reply may be there before the client has read the event.
    const data = "x".repeat(200_000);
    await emit(server, key, { event: "last", data, to: { rooms: ["den"] } });
    await restart(server);
    await once(ada, "connect");
    assert.equal(ada.recovered, true);
    for (const [room, delivered] of [["den", 1], ["attic", 0], ["lobby", 1]]) {
      assert.deepEqual(await emit(server, key, { event: "tick", data: room, to: { rooms: [room] } }), { delivered });
    }
    assert.equal(await once(ada, "last"), data);
    assert.deepEqual([await once(ada, "tick"), await once(ada, "tick")], ["den", "lobby"]);
    assert.deepEqual(untaken(ada, "last"), []);
  });

  test("writes a file that only its owner can read, and the next start removes it", async (t) => {
    const server = await start(t, AT_ONCE);
    const ada = await server.user("ada");
    server.terminate();
    await server.exited();
    const { size, mode } = await stat(fileOf(server));
    assert.equal(mode & 0o777, 0o600);
    assert.equal((await server.logged({ message: "the sockets were saved" })).bytes, size);
    await server.start(server.port);
    const left = (await readdir(join(server.folder, "data"))).filter((name) => name.includes("sockets"));
    assert.deepEqual(left, []);
    assert.equal(await back(ada), true);
  });

  test("keeps users present, and announces only those who do not come back", async (t) => {
    const server = await start(t, { ...AT_ONCE, "presence.grace": "2s" });
    const [ada, bob, eve] = [await server.user("ada", RECONNECTING), await server.user("bob", RECONNECTING), await server.user("eve")];
    await once(ada, "presence-changed", ({ joined }) => joined.some(({ id }) => id === "eve"));
    await restart(server);
    for (const socket of [ada, bob]) await once(socket, "connect");
    const online = async () => {
      const { users } = await done(ada, "list-users", {});
      return users.filter((user) => user.online).map(({ id }) => id).sort();
    };
    assert.deepEqual(await online(), ["ada", "bob", "eve"]);
    const { joined, left } = await once(ada, "presence-changed", ({ left }) => left.length > 0);
    assert.deepEqual([joined, left.map(({ id }) => id)], [[], ["eve"]]);
    assert.deepEqual(await online(), ["ada", "bob"]);
    assert.equal(eve.connected, false);
  });

  test("answers a retry of a call with the reply of the process before", async (t) => {
    const { key, settings } = newKey();
    const server = await start(t, { ...settings, ...AT_ONCE });
    const ada = await server.user("ada", RECONNECTING);
    const event = { event: "order", data: { n: 1 }, to: { users: ["ada"] }, idempotencyKey: "order 1" };
    assert.deepEqual(await emit(server, key, event), { delivered: 1 });
    const asked = { event: "how", to: { users: ["ada"] }, ack: { timeoutMs: 5_000 }, idempotencyKey: "how 1" };
    ada.once("how", (reply) => reply(null));
    const answered = await emit(server, key, asked);
    assert.equal(answered.answers[0].data, null);
    await restart(server);
    await once(ada, "connect");
    assert.deepEqual(await emit(server, key, event), { delivered: 1 });
    assert.deepEqual(await emit(server, key, asked), answered);
    const { status } = await call(server, key, "POST", "/api/events", { ...event, data: { n: 2 } });
    assert.equal(status, 409);
    await emit(server, key, { event: "fence", to: { everyone: true } });
    await once(ada, "fence");
    assert.equal(untaken(ada, "order").length, 1);
  });

  test("keeps sockets also if the connections are dropped over a while", async (t) => {
    const server = await start(t, { ...RELAYS, "server.drain": "1s" });
    const [ada, bob] = [await server.user("ada", RECONNECTING), await server.user("bob", RECONNECTING)];
    await restart(server);
    for (const socket of [ada, bob]) {
      await once(socket, "connect");
      assert.equal(socket.recovered, true);
    }
    await fence(bob, ada);
  });
});

describe("a client gets a new socket after a restart", () => {
  /** Restarts with a change of the files; says why the file was ignored. */
  async function ignored(t, change, settings = {}) {
    const server = await start(t, { ...AT_ONCE, ...settings });
    const ada = await server.user("ada");
    const { id } = ada;
    await restart(server, () => change(server));
    const { reason } = await server.logged({ message: IGNORED });
    assert.equal(await back(ada), false);
    assert.notEqual(ada.id, id);
    await assert.rejects(stat(fileOf(server)), { code: "ENOENT" });
    return reason;
  }

  test("if the file is torn", async (t) => {
    for (const [length, reason] of [
      [0, "it is no file of saved sockets"],
      [18, "it is torn"],
      [100, "it is torn or damaged"],
    ]) {
      assert.equal(await ignored(t, (server) => truncate(fileOf(server), length)), reason);
    }
  });

  test("if a byte of the file has changed", async (t) => {
    const change = async (server) => {
      const bytes = await readFile(fileOf(server));
      bytes[bytes.length >> 1] ^= 1;
      await writeFile(fileOf(server), bytes);
    };
    assert.equal(await ignored(t, change), "it is torn or damaged");
  });

  test("if a newer version wrote the file", async (t) => {
    const change = async (server) => {
      const bytes = await readFile(fileOf(server));
      bytes[16] += 1;
      await writeFile(fileOf(server), bytes);
    };
    assert.match(await ignored(t, change), /^a newer sockeye wrote it, in format \d+$/);
  });

  test("if the database was replaced by a copy", async (t) => {
    const change = async (server) => {
      const database = join(server.folder, "data", "sockeye.db");
      const bytes = await readFile(database);
      await writeFile(database, bytes);
    };
    assert.equal(await ignored(t, change), "it is of another database");
  });

  test("if clients are authenticated in another way", async (t) => {
    const server = await start(t, AT_ONCE);
    const ada = await server.user("ada");
    await restart(server, () => Object.assign(server.settings, HS256));
    assert.equal((await server.logged({ message: IGNORED })).reason, "its clients were authenticated in another way");
    ada.auth = { token: token({ sub: "ada" }) };
    assert.equal(await back(ada), false);
  });

  test("if the window has ended meanwhile", async (t) => {
    const server = await start(t, { ...AT_ONCE, "recovery.window": "1s" });
    const ada = await server.user("ada");
    await restart(server, () => pause(1_100));
    const { sockets, expired } = await server.logged({ message: TAKEN_UP });
    assert.deepEqual([sockets, expired], [0, 1]);
    assert.equal(await back(ada), false);
  });

  test("and its socket ends when the window ends", async (t) => {
    const server = await start(t, { ...AT_ONCE, "recovery.window": "1s" });
    const { id } = await server.user("ada");
    await restart(server);
    const { reason } = await server.logged({ message: "disconnected", socket: id });
    assert.equal(reason, "server shutting down");
  });

  test("if the server was killed", async (t) => {
    const server = await start(t, AT_ONCE);
    const ada = await server.user("ada");
    const { revision } = await done(ada, "send-message", { n: 1 });
    await server.kill();
    await server.start(server.port);
    assert.equal(await back(ada), false);
    const { messages } = await done(ada, "join-room", { room: "lobby", since: revision - 1 });
    assert.deepEqual(messages.map(({ body }) => body.n), [1]);
  });

  test("if the server was told to end twice", async (t) => {
    const server = await start(t, { "server.drain": "1h" });
    const ada = await server.user("ada");
    server.terminate();
    await once(ada, "server-closing");
    server.terminate();
    assert.equal((await server.exited()).code, 1);
    await server.start(server.port);
    assert.equal(await back(ada), false);
  });

  test("if the file cannot be written, and the server ends in time", async (t) => {
    const server = await start(t, AT_ONCE);
    const ada = await server.user("ada");
    const { id } = ada;
    // A folder with a file in place of the new file: also root cannot write it.
    await mkdir(`${fileOf(server)}.new/full`, { recursive: true });
    const began = Date.now();
    server.terminate();
    assert.equal((await server.exited()).code, 0);
    assert.ok(Date.now() - began < 7_000);
    await server.logged({ message: "the sockets cannot be saved: their clients get new ones" });
    await server.logged({ message: "disconnected", socket: id });
    await server.start(server.port);
    assert.equal(await back(ada), false);
  });
});

describe("after a restart a token", () => {
  test("that has expired is not accepted, and a new one is", async (t) => {
    const server = await start(t, { ...AT_ONCE, ...HS256 });
    const auth = (exp) => ({ token: token({ sub: "ada", exp }) });
    const [ada, tablet] = [await server.connect({ auth: auth(now() - 27) }), await server.connect({ auth: auth(now() + 60) })];
    await restart(server, () => pause(4_000));
    for (const socket of [ada, tablet]) {
      socket.connect();
      if (socket === tablet) continue;
      assert.equal((await once(socket, "connect_error")).message, "token-expired");
      socket.auth = auth(now() + 60);
      assert.equal(await back(socket), true);
    }
    await once(tablet, "connect");
    assert.equal(tablet.recovered, true);
  });

  test("expires when it should", async (t) => {
    const server = await start(t, { ...AT_ONCE, ...HS256 });
    const ada = await server.connect({ auth: { token: token({ sub: "ada", exp: now() + 2 }) }, ...RECONNECTING });
    await restart(server);
    await once(ada, "connect");
    assert.equal(ada.recovered, true);
    assert.equal((await once(ada, "event-error")).code, "token-expired");
  });
});
