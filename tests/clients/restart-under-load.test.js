// A restart while a backend tells events: with a listener that outlives the server, nobody is refused, every client is
// recovered, and no event is missed or doubled. RESTART_CLIENTS is the number of clients; `make soak` has 1,000.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";

import { io } from "socket.io-client-4";

import { TIMEOUT_MS } from "../harness/time.js";
import { call, newKey } from "./api.js";
import { done, inTime, startWithSocketUnit } from "./harness.js";

const CLIENTS = Number(process.env.RESTART_CLIENTS ?? 20);
/** Events in a second. */
const RATE = 200;
/**
 * Rooms of 20 clients at most. Of 100 events, 99 are for a room and one is for everyone. There are ten rooms at least, so
 * that a client that is away for long on a busy machine does not miss more than `recovery.events`.
 */
const ROOMS = Math.max(10, Math.ceil(CLIENTS / 20));
const isForAll = (n) => n % 100 === 0;
const FREE = Object.fromEntries(
  ["connections", "sockets-per-address", "sockets-per-user", "events-per-second"].map((limit) => [`limits.${limit}`, 0]),
);
/** The longest time from the start of the server until every client is back, in milliseconds. */
const BACK_MS = process.env.RESTART_CLIENTS === undefined ? TIMEOUT_MS : 3_000;
/** Calls that may wait for an answer at the same time. */
const CALLS = 200;

const roomOf = (n) => `room-${n % ROOMS}`;

/** A client with its default behaviour, and the numbers that it has heard. */
async function client(server, index) {
  const auth = { userId: `user ${index}` };
  const transports = index % 10 === 9 ? ["polling"] : ["websocket"];
  const socket = io(server.url, { auth, transports, forceNew: true });
  server.sockets.push(socket);
  const heard = [];
  const state = { socket, heard, recovered: undefined, backAt: undefined };
  socket.on("tick", (n) => heard.push(n));
  socket.on("server-closing", () => (state.closing = (state.closing ?? 0) + 1));
  await inTime(new Promise((resolve) => socket.once("connect", resolve)), "connect", 60_000);
  await done(socket, "join-room", { room: roomOf(index) });
  socket.on("connect", () => {
    state.recovered = socket.recovered;
    state.backAt = Date.now();
  });
  return state;
}

/** Tells numbered events at the rate until it is stopped. */
function teller(server, key) {
  const calls = [];
  const problems = [];
  let [told, answered, stopped] = [0, 0, false];
  async function tell(n) {
    const to = isForAll(n) ? { everyone: true } : { rooms: [roomOf(n)] };
    const event = { event: "tick", data: n, to, idempotencyKey: `tick ${n}` };
    for (;;) {
      try {
        const { status } = await call(server, key, "POST", "/api/events", event);
        if (status === 200) return void (answered += 1);
        problems.push(status);
      } catch (error) {
        problems.push(error.code ?? error.message);
        // Only a call that was already accepted may fail.
        assert.notEqual(error.code, "ECONNREFUSED");
      }
      await pause(20);
    }
  }
  const running = (async () => {
    const began = Date.now();
    while (!stopped) {
      for (const due = ((Date.now() - began) * RATE) / 1_000; told < due && told - answered < CALLS; ) calls.push(tell((told += 1)));
      await pause(5);
    }
  })();
  /** Returns the number of events, when all are told. */
  const stop = async () => {
    stopped = true;
    await running;
    await Promise.all(calls);
    return told;
  };
  return { stop, problems, told: () => told };
}

test(`${CLIENTS} clients are recovered over a restart, and hear ${RATE} events a second without a gap`, async (t) => {
  const { key, settings } = newKey();
  const server = await startWithSocketUnit(t, { ...settings, ...FREE, "rooms.open": '["*"]' });
  await server.logged({ message: "unit started", start: 0 });
  const clients = [];
  for (let first = 0; first < CLIENTS; first += 50) {
    const numbers = Array.from({ length: Math.min(50, CLIENTS - first) }, (_, index) => first + index);
    clients.push(...(await Promise.all(numbers.map((index) => client(server, index)))));
  }
  const backend = teller(server, key);
  while (backend.told() < RATE) await pause(10);
  const ids = clients.map(({ socket }) => socket.id);
  const asked = Date.now();
  server.terminate();
  await server.logged({ message: "unit started", start: 1 }, 30_000);
  const began = Date.now();
  while (clients.some(({ backAt }) => backAt === undefined)) {
    assert.ok(Date.now() - began < 30_000, "some clients did not come back");
    await pause(10);
  }
  const told = await backend.stop();
  const last = told + 1;
  await call(server, key, "POST", "/api/events", { event: "tick", data: last, to: { everyone: true } });
  const isComplete = ({ heard }) => heard.at(-1) === last;
  for (const until = Date.now() + 30_000; !clients.every(isComplete) && Date.now() < until; ) await pause(10);

  const back = Math.max(...clients.map(({ backAt }) => backAt)) - began;
  t.diagnostic(`ended in ${began - asked} ms, all back ${back} ms after the start, ${told} events, problems: ${backend.problems}`);
  for (const [index, { socket, heard, recovered }] of clients.entries()) {
    assert.deepEqual([recovered, socket.id], [true, ids[index]], `client ${index}`);
    const wanted = Array.from({ length: told }, (_, n) => n + 1).filter((n) => isForAll(n) || roomOf(n) === roomOf(index));
    assert.deepEqual([...heard].sort((a, b) => a - b), [...wanted, last], `client ${index} heard everything once`);
  }
  assert.ok(back <= BACK_MS, `${back} ms`);
});
