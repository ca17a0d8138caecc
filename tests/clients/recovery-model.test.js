// Randomized test of recovery: connections break at random bytes, and clients must receive every event sent to them,
// in order, without gaps or duplicates. To use another seed: SEED=7 node --test recovery-model.test.js

import assert from "node:assert/strict";
import { test } from "node:test";

import { METRICS, TRANSPORTS, ask, done, inTime, missHeartbeat, start } from "./harness.js";
import { proxy } from "./proxy.js";

const ROOMS = ["den", "attic"];
const STEPS = 250;
const SETTINGS = {
  ...METRICS,
  // A client whose new WebSocket breaks during the upgrade, while polling is paused, receives nothing until it misses
  // a heartbeat.
  "server.ping-interval": "300ms",
  "server.ping-timeout": "3s",
  "limits.events-per-second": 0,
  "limits.events-in-flight": 0,
  "relay.message.to": "everyone",
  "relay.flash.to": "everyone",
  "relay.flash.volatile": true,
};
/** Limits so low that some disconnects are recovered and others are not. */
const FORGETFUL = { ...SETTINGS, "recovery.events": 12, "recovery.bytes": 6_000, "recovery.sockets": 2 };

for (const seed of process.env.SEED ? [Number(process.env.SEED)] : [1, 2, 3]) {
  test(`with sufficient limits every disconnect is recovered: seed ${seed}`, async (t) => {
    const clients = await run(t, seed, SETTINGS);
    for (const { name, periods } of clients) assert.equal(periods.length, 1, `${name} was not recovered`);
  });

  test(`with low limits a client learns that it was not recovered: seed ${seed}`, (t) => run(t, seed, FORGETFUL));
}

async function run(t, seed, settings) {
  const { below, one } = random(seed);
  const server = await start(t, settings);
  const witness = new Witness(await server.user("witness"));
  for (const room of ROOMS) await done(witness.socket, "join-room", { room });
  const clients = [];
  for (let n = 0; n < 4; n += 1) {
    clients.push(new Client(n, server, await proxy(t, server.port), TRANSPORTS[n % TRANSPORTS.length], witness));
  }
  await Promise.all(clients.map((client) => client.connected()));

  const acts = {
    say: (client) => client.say(one(["lobby", ...ROOMS]), below(300)),
    relay: (client) => client.relay(below(3)),
    // Events that the server emits to the same sockets in one turn are sent in one write.
    "say much": (client) => client.sayMuch(one(["lobby", ...ROOMS]), 2 + below(8)),
    "relay much": (client) => client.relayMuch(2 + below(8)),
    flash: (client) => client.flash(one(["", "x", "aaaaaa.", " "])),
    join: (client) => client.wish("join-room", one(ROOMS)),
    leave: (client) => client.wish("leave-room", one(ROOMS)),
  };
  const breaks = {
    cut: (client) => client.through.cut(one(["reset", "end"])),
    "cut down": (client) => client.cutAfter("down", below(700), one(["reset", "end"])),
    "cut up": (client) => client.cutAfter("up", below(500), one(["reset", "end"])),
    hang: (client) => client.hang(below(2) === 0),
  };
  const journal = [];
  try {
    for (let step = 0; step < STEPS; step += 1) {
      const client = one(clients);
      const choices = client.socket.connected && below(3) === 0 ? breaks : acts;
      const name = one(Object.keys(choices));
      journal.push(`${name} (${client.name})`);
      choices[name](client);
      // Paced by the server: a client with an intact connection has received its own event.
      await witness.say(one(["lobby", ...ROOMS]), below(200));
      if (below(3) === 0) await witness.relay(below(3));
    }
    await Promise.all(clients.map((client) => client.settled()));
    for (const room of ["lobby", ...ROOMS]) await witness.say(room, 1);
    await witness.relay(0);
    await Promise.all(clients.map((client) => client.heardLast()));
    witness.check();
    for (const client of clients) await client.check();
  } catch (error) {
    error.message += `\nseed ${seed}, at the end: ${journal.slice(-30).join(", ")}`;
    throw error;
  }
  const recovered = await server.metric('sockeye_recoveries_total{outcome="recovered"}');
  const others = clients.reduce((sum, { periods }) => sum + periods.length - 1, 0);
  t.diagnostic(`${recovered} recovered, ${others} not`);
  assert.ok(recovered > 0, "nothing was recovered, so this proves nothing");
  return clients;
}

/** Pseudo-random numbers (mulberry32), the same for the same seed. */
function random(seed) {
  let state = seed;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (n) => Math.floor(next() * n);
  return { below, one: (list) => list[below(list.length)] };
}

/**
 * The events that a socket's listeners received, by stream: a room's saved messages, one sender's relays, the volatile
 * events.
 */
class Heard {
  sessions = 0;
  streams = new Map();

  /** The stream entry of an event, if it belongs to a stream. */
  add(event, payload) {
    if (event === "session") this.sessions += 1;
    if (event === "message-saved") {
      const { room, offset, body } = payload.message;
      this.stream(room).push({ offset, by: body.by, n: body.n });
    }
    if (event === "message") this.stream(`relays of ${payload.by}`).push(payload);
    if (event === "flash") this.stream("flashes").push(payload);
  }

  stream(name) {
    if (!this.streams.has(name)) this.streams.set(name, []);
    return this.streams.get(name);
  }
}

const key = ({ by, n }) => `${by} ${n}`;

/** A client that sends numbered events, and collects what it receives. */
class Person {
  #sent = 0;
  #waiting = [];

  constructor(name, socket) {
    this.name = name;
    this.socket = socket;
    socket.onAny((event, ...args) => {
      this.hear(event, args[0]);
      this.#waiting = this.#waiting.filter((isDone) => !isDone());
    });
  }

  /** A saved message. */
  message(room, length) {
    return ["send-message", { ...(room !== "lobby" && { room }), ...this.#mark(), text: "x".repeat(length) }];
  }

  /** Sends a relay to everyone: plain, with binary and text, or with a text that looks like an offset. */
  relayed(kind) {
    return ["message", this.#mark(), ...[[], [Buffer.alloc(20, 7), "text"], ["1"]][kind]];
  }

  until(isTrue, what) {
    if (isTrue()) return undefined;
    const heard = new Promise((resolve) => this.#waiting.push(() => isTrue() && (resolve(), true)));
    return inTime(heard, `${this.name}: ${what}`);
  }

  #mark() {
    return { by: this.name, n: ++this.#sent };
  }
}

/** The reference client: its connection never breaks and it is in every room. */
class Witness extends Person {
  heard = new Heard();

  constructor(socket) {
    super("witness", socket);
  }

  hear(event, payload) {
    this.heard.add(event, payload);
  }

  /** Fulfilled when the reference client has received this. */
  async say(room, length) {
    const { offset } = await done(this.socket, ...this.message(room, length));
    await this.until(() => this.heard.stream(room).at(-1)?.offset >= offset, `its message ${offset} to ${room}`);
  }

  async relay(kind) {
    const event = this.relayed(kind);
    await ask(this.socket, ...event);
    await this.until(() => this.heard.stream("relays of witness").at(-1)?.n === event[1].n, "its relay");
  }

  /** For each stream, the number of events sent before this moment. */
  async lengths() {
    await done(this.socket, "list-rooms", {});
    return new Map([...this.heard.streams].map(([name, { length }]) => [name, length]));
  }

  /** Asserts that everything sent once took effect once, in the order of each sender. */
  check() {
    for (const [name, stream] of this.heard.streams) {
      if (name === "flashes") continue;
      const last = new Map();
      for (const entry of stream) {
        assert.ok(entry.n > (last.get(entry.by) ?? 0), `${name}: ${key(entry)} after ${last.get(entry.by)}`);
        last.set(entry.by, entry.n);
      }
      if (stream[0].offset === undefined) continue;
      assert.deepEqual(stream.map(({ offset }) => offset), stream.map((_, index) => index + 1), name);
    }
  }
}

/** A client whose connection breaks. */
class Client extends Person {
  /** The periods between two sessions: without recovery, a new one begins. */
  periods = [];
  #flashes = 0;
  #index;
  #wishes = Promise.resolve();
  #witness;

  constructor(index, server, through, transports, witness) {
    const name = `client ${index}`;
    const options = { reconnection: true, reconnectionDelay: 2, reconnectionDelayMax: 10, timeout: 1_000 };
    super(name, server.client({ transports, url: through.url, auth: { userId: name, name }, ...options }));
    this.#index = index;
    this.#witness = witness;
    this.through = through;
    this.socket.on("connect", () => {
      through.shape = () => {};
      if (this.socket.recovered) return;
      this.periods.push({ heard: new Heard(), rooms: new Map(ROOMS.map((room) => [room, []])) });
    });
    this.socket.connect();
  }

  hear(event, payload) {
    const period = this.periods.at(-1);
    assert.ok(period, `${this.name}: ${event} before it was connected`);
    period.heard.add(event, payload);
    // Everything sent from now on must be received.
    if (event === "session") period.begun = this.#witness.lengths();
    if (event === "message-saved") period.rooms.get(payload.message.room)?.push({ heard: payload.message.offset });
  }

  say(room, length) {
    this.socket.emit(...this.message(room, length));
  }

  relay(kind) {
    this.socket.emit(...this.relayed(kind));
  }

  sayMuch(room, count) {
    for (let n = 0; n < count; n += 1) this.say(room, 50 * n);
  }

  relayMuch(count) {
    for (let n = 0; n < count; n += 1) this.relay(n % 3);
  }

  /** Emits a volatile event with only a string, which the client takes for an offset if it is the last argument. */
  flash(prefix) {
    this.socket.emit("flash", `${prefix}${10 * ++this.#flashes + this.#index}`);
  }

  /** Breaks the open connections, and new ones until the client has reconnected, each after this many bytes. */
  cutAfter(direction, bytes, how) {
    this.through.shape = (connection) => connection[direction].cutAfter(bytes, how);
    for (const connection of this.through.open) connection[direction].cutAfter(bytes, how);
    // For some of these, the number of bytes is too low for any handshake.
    this.socket.once("disconnect", () => (this.through.shape = () => {}));
  }

  /**
   * Makes the client abandon its connection without notice to the server; delayed data may arrive after it has
   * reconnected.
   */
  hang(arrives) {
    const hanging = this.through.open;
    for (const connection of hanging) connection.stall();
    missHeartbeat(this.socket);
    if (arrives) this.socket.once("connect", () => hanging.forEach((connection) => connection.resume()));
  }

  /** Joins or leaves a room after the previous request is done; repeats until there is a reply. */
  wish(event, room) {
    this.#wishes = this.#wishes.then(async () => {
      for (let reply; !reply; ) {
        await this.connected();
        const log = this.periods.at(-1).rooms.get(room);
        log.push({ [event]: this.#witness.heard.stream(room).length });
        reply = await this.#asked(event, { room });
        if (reply) log.push(event === "join-room" ? { joined: reply.data.head.offset } : { left: true });
      }
    });
    this.#wishes.catch(() => {});
  }

  connected() {
    if (this.socket.connected) return undefined;
    return inTime(new Promise((resolve) => this.socket.once("connect", resolve)), `${this.name} is connected`);
  }

  /** Stops breaking connections, and waits until all emits and requests are done. */
  async settled() {
    this.through.shape = () => {};
    for (const { up, down } of this.through.open) for (const flow of [up, down]) flow.cutAfter(Infinity);
    await inTime(this.#wishes, `${this.name}: its joins and leaves`);
    do await this.connected();
    while (!(await this.#asked("list-rooms", {})));
  }

  heardLast() {
    const last = this.#witness.heard.stream("relays of witness").at(-1);
    const stream = () => this.periods.at(-1).heard.stream("relays of witness");
    return this.until(() => stream().at(-1)?.n === last.n, "the last relay");
  }

  /** Asserts that each period is a contiguous part of the reference, and that the last one reaches its end. */
  async check() {
    for (const [index, { heard, begun, rooms }] of this.periods.entries()) {
      const lengths = await begun;
      const isLast = index === this.periods.length - 1;
      const what = (name) => `${this.name}, ${index + 1} of ${this.periods.length} periods, ${name}`;
      assert.ok(heard.sessions === 1 || (heard.sessions === 0 && !isLast), what(`${heard.sessions} sessions`));
      for (const [name, truth] of this.#witness.heard.streams) {
        if (name === "flashes") checkFlashes(heard.stream(name), what(name));
        else if (rooms.has(name)) checkRoom(rooms.get(name), isLast && truth.length, what(name));
        else checkPart(heard.stream(name), truth, lengths ? (lengths.get(name) ?? 0) : Infinity, isLast, what(name));
      }
    }
  }

  /** The reply; undefined if the connection broke before it arrived. */
  #asked(event, payload) {
    const reply = new Promise((resolve) => {
      this.socket.timeout(5_000).emit(event, payload, (error, reply) => resolve(error ? undefined : reply));
    });
    return inTime(reply, `${this.name}: ${event}`);
  }
}

/** Asserts that there are no gaps, from `begun` or earlier, up to the end if required. */
function checkPart(stream, truth, begun, toTheEnd, what) {
  const heard = stream.map(key);
  const all = truth.map(key);
  const first = heard.length > 0 ? all.indexOf(heard[0]) : begun;
  assert.ok(first !== -1 && first <= begun, `${what}: begins with ${first}, after ${begun}`);
  const end = toTheEnd ? all.length : first + heard.length;
  assert.deepEqual(heard, all.slice(first, end), what);
}

/**
 * Asserts that a member of a room received every message, from the first one after the reply's head to the last one
 * before leaving.
 */
function checkRoom(log, last, what) {
  let [state, next, before] = ["out", undefined, 0];
  for (const [index, entry] of log.entries()) {
    const where = `${what}, entry ${index} of ${JSON.stringify(log.slice(Math.max(0, index - 20), index + 3))}`;
    if (entry["join-room"] !== undefined && state === "out") [state, next] = ["joining", undefined];
    if (entry.joined !== undefined) [state, next] = ["in", next ?? { atMost: entry.joined + 1 }];
    if (entry["leave-room"] !== undefined && state === "in") [state, before] = ["leaving", entry["leave-room"]];
    if (entry.left) {
      if (state === "leaving") assert.ok((next.atMost ?? next.is) > before, `${where}: left before ${before} was heard`);
      [state, next] = ["out", undefined];
    }
    if (entry.heard === undefined) continue;
    assert.notEqual(state, "out", `${where}: heard outside`);
    if (next?.is) assert.equal(entry.heard, next.is, `${where}: a hole or a double`);
    if (next?.atMost) assert.ok(entry.heard <= next.atMost, `${where}: a hole behind the reply`);
    next = { is: entry.heard + 1 };
    if (state === "joining") state = "in";
  }
  if (last && state === "in") assert.equal(next.is, last + 1, `${what}: the end is missing`);
}

/** Asserts that volatile events, which may be lost, are not duplicated and stay in the order of each sender. */
function checkFlashes(stream, what) {
  const last = new Map();
  for (const text of stream) {
    const number = Number(/\d+$/.exec(text)[0]);
    assert.ok(number > (last.get(number % 10) ?? 0), `${what}: ${text} after ${last.get(number % 10)}`);
    last.set(number % 10, number);
  }
}
