// Clients that read too slowly or not at all: dropped before they use much memory, without loss for others.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import net from "node:net";
import { describe, test } from "node:test";

import { METRICS, TRANSPORTS, ask, done, established, fence, inTime, once, start, untaken, upgraded } from "./harness.js";
import { proxy } from "./proxy.js";

const SETTINGS = { ...METRICS, "limits.events-per-second": 0, "limits.events-in-flight": 0 };
/** Less than the kernel's buffers, so that a few megabytes exceed the limit. */
const TIGHT = { ...SETTINGS, "limits.queued-bytes": 200_000 };
/**
 * `server.ping-interval` and `server.ping-timeout`: without pongs, a client is disconnected after their sum in any
 * case.
 */
const HEARTBEAT_MS = 45_000;
const DROPS = 'sockeye_disconnects_total{reason="slow-consumer"}';

const TEXT = "x".repeat(20_000);

/** A raw WebSocket that reads only when a test says so, and never answers pings. */
class Raw {
  #socket;
  #bytes = Buffer.alloc(0);
  #ended;

  static async connect(t, server, credentials) {
    const raw = new Raw();
    raw.#socket = net.connect({ port: server.port, noDelay: true });
    t.after(() => raw.#socket.destroy());
    raw.#socket.on("error", () => {});
    raw.#ended = new Promise((resolve) => raw.#socket.once("close", resolve));
    raw.#socket.on("data", (data) => (raw.#bytes = Buffer.concat([raw.#bytes, data])));
    raw.#socket.write(
      "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n" +
        `Host: ${server.host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString("base64")}\r\n\r\n`,
    );
    await raw.#until(() => raw.#bytes.includes("\r\n\r\n"));
    assert.match(raw.#bytes.toString("latin1"), /^HTTP\/1\.1 101 /);
    raw.#bytes = raw.#bytes.subarray(raw.#bytes.indexOf("\r\n\r\n") + 4);
    raw.send(`40${JSON.stringify(credentials)}`);
    const session = () => raw.frames().find((text) => text.startsWith('42["session"'));
    await raw.#until(session);
    raw.#socket.pause();
    raw.id = JSON.parse(session().slice(2))[1].socketId;
    return raw;
  }

  /** A text frame of up to 125 bytes (RFC 6455, 5.2), masked with zeros. */
  send(text) {
    this.#socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]));
  }

  /** The complete text frames received. */
  frames() {
    const texts = [];
    for (let at = 0; at + 2 <= this.#bytes.length; ) {
      const short = this.#bytes[at + 1] & 0x7f;
      const head = { 126: 4, 127: 10 }[short] ?? 2;
      if (at + head > this.#bytes.length) break;
      const long = { 126: () => this.#bytes.readUInt16BE(at + 2), 127: () => Number(this.#bytes.readBigUInt64BE(at + 2)) };
      const end = at + head + (long[short]?.() ?? short);
      if (end > this.#bytes.length) break;
      if ((this.#bytes[at] & 0x0f) === 1) texts.push(this.#bytes.toString("utf8", at + head, end));
      at = end;
    }
    return texts;
  }

  /** Reads everything, to the end of the connection. */
  async rest() {
    this.#socket.resume();
    await inTime(this.#ended, "the end of the connection");
    return this.frames();
  }

  async #until(isTrue) {
    const arrived = new Promise((resolve) => {
      const look = () => isTrue() && (this.#socket.off("data", look), resolve());
      this.#socket.on("data", look);
      look();
    });
    await inTime(arrived, "a frame");
  }
}

/** The number in a frame with a relayed `message`. */
const numberIn = (frame) => Number(/^42\["message",(\d+),/.exec(frame)?.[1]);

/**
 * Emits numbered events to everyone until the server logs the disconnect of this socket. Returns how many. The other
 * clients are never far behind: a polling client would be dropped too if it fell behind by the limit.
 */
async function flood(server, sender, id, ...others) {
  let line;
  server.logged({ message: "disconnected", socket: id }, HEARTBEAT_MS).then((logged) => (line = logged), () => {});
  const began = Date.now();
  let n = 0;
  while (!line && Date.now() - began < HEARTBEAT_MS / 2) {
    assert.ok(await ask(sender, "message", ++n, TEXT));
    if (others.length > 0 && n % 4 === 0) await fence(sender, ...others);
  }
  assert.equal(line?.reason, "slow-consumer", `after ${n} events`);
  return n;
}

/** Emits numbered events to everyone until this many slow readers are dropped. Returns how many events. */
async function floodUntil(server, sender, drops) {
  const began = Date.now();
  let n = 0;
  while ((await server.metric(DROPS)) < drops && Date.now() - began < HEARTBEAT_MS / 2) {
    await ask(sender, "message", ++n, TEXT);
  }
  assert.ok((await server.metric(DROPS)) >= drops, `after ${n} events`);
  return n;
}

/** 1, 2, 3 and so on, up to `count`. */
function assertWhole(numbers, count) {
  const wrong = numbers.findIndex((n, index) => n !== index + 1);
  assert.equal(wrong, -1, `${numbers.slice(wrong - 2, wrong + 3)} at ${wrong}`);
  assert.equal(numbers.length, count);
}

/** Asserts that a socket received the whole flood in order. */
async function whole(sender, socket, count) {
  await fence(sender, socket);
  const numbers = untaken(socket, "message").map(([, n]) => n);
  assertWhole(numbers.filter((n) => typeof n === "number"), count);
}

describe("a client that never reads", () => {
  test("is dropped long before its heartbeat fails, and the others get everything in order", async (t) => {
    const server = await start(t, { ...TIGHT, "presence.grace": "50ms" });
    const bob = await server.user("bob");
    const others = await Promise.all(TRANSPORTS.map((transports) => server.user("cy", { transports })));
    assert.equal(await server.metric("sockeye_connections"), 4);
    const deaf = await Raw.connect(t, server, { userId: "deaf" });
    await once(bob, "presence-changed", ({ joined }) => joined.some(({ id }) => id === "deaf"));
    await server.reaches("sockeye_connections", 5);
    const count = await flood(server, bob, deaf.id, ...others);
    assert.equal(await server.metric(DROPS), 1);
    await once(bob, "presence-changed", ({ left }) => left.some(({ id }) => id === "deaf"));
    for (const socket of [bob, ...others]) await whole(bob, socket, count);
    await server.reaches("sockeye_queued_bytes", 0);
    assert.equal(await server.metric("sockeye_connections"), 4);
    assert.equal(await server.metric("sockeye_away"), 0, "it is not kept for recovery");
  });

  test("is dropped with its memory, while other clients are served", async (t) => {
    const settings = { ...SETTINGS, "limits.queued-bytes": 40_000_000, "recovery.window": "0s" };
    const server = await start(t, settings);
    const [ada, bob] = [await server.user("ada"), await server.user("bob")];
    const text = "x".repeat(400_000);
    // A first flood without slow readers: the memory for fast ones belongs to the baseline.
    await ask(bob, "message", 0, text);
    await fence(bob, ada);
    const baseline = await server.memory();
    const deaf = await Raw.connect(t, server, { userId: "deaf" });
    let [line, peak] = [undefined, 0];
    server.logged({ message: "disconnected", socket: deaf.id }, HEARTBEAT_MS).then((logged) => (line = logged), () => {});
    for (let n = 1; !line && n <= 300; n += 1) {
      await ask(bob, "message", n, text);
      assert.ok(await ask(ada, "list-rooms", {}), "somebody else's event");
      peak = Math.max(peak, await server.memory());
    }
    assert.equal(line?.reason, "slow-consumer");
    assert.ok(peak > baseline + 30_000, `its queue was in memory: ${baseline} KiB, then ${peak}`);
    await server.reaches("sockeye_queued_bytes", 0);
    await fence(bob, ada);
    const after = await server.memory();
    assert.ok(after < baseline + (peak - baseline) / 3, `${baseline} KiB, then ${peak}, then ${after}`);
  });

  test("receives the events up to some point without a gap, if it reads at last", async (t) => {
    const server = await start(t, TIGHT);
    const bob = await server.user("bob");
    const deaf = await Raw.connect(t, server, { userId: "deaf" });
    const count = await flood(server, bob, deaf.id);
    const numbers = (await deaf.rest()).map(numberIn).filter((n) => !Number.isNaN(n));
    assert.ok(numbers.length < count, "something was not sent, or it would not have been dropped");
    assertWhole(numbers, numbers.length);
  });

  test("is dropped together with many others", async (t) => {
    const server = await start(t, TIGHT);
    const [ada, bob] = [await server.user("ada"), await server.user("bob")];
    for (let n = 0; n < 5; n += 1) await Raw.connect(t, server, { userId: "deaf" });
    await server.reaches("sockeye_connections", 7);
    const count = await floodUntil(server, bob, 5);
    for (const socket of [ada, bob]) await whole(bob, socket, count);
    await server.reaches("sockeye_queued_bytes", 0);
    assert.equal(await server.metric("sockeye_connections"), 2);
  });

  test("and does not poll is dropped too", async (t) => {
    const server = await start(t, TIGHT);
    const [ada, bob] = [await server.user("ada"), await server.user("bob")];
    const path = "/socket.io/?EIO=4&transport=polling";
    const { sid } = JSON.parse((await server.request(path)).body.slice(1));
    const post = { method: "POST", headers: { "content-type": "text/plain;charset=UTF-8" }, body: '40{"userId":"deaf"}' };
    assert.equal((await server.request(`${path}&sid=${sid}`, post)).status, 200);
    let [frames, id] = ["", undefined];
    while (!id) {
      frames += (await server.request(`${path}&sid=${sid}`)).body;
      id = /"socketId":"([^"]+)"/.exec(frames)?.[1];
    }
    const count = await flood(server, bob, id);
    assert.ok(count < 50, `${count} events of 20 kB where 200 kB may wait`);
    assert.equal((await server.request(`${path}&sid=${sid}`)).status, 400, "the session is gone");
    for (const socket of [ada, bob]) await whole(bob, socket, count);
    await server.reaches("sockeye_queued_bytes", 0);
  });

  test("and only gets acknowledgements is dropped too", async (t) => {
    const server = await start(t, TIGHT);
    const bob = await server.user("bob");
    const text = "x".repeat(50_000);
    for (let n = 0; n < 10; n += 1) await done(bob, "send-message", { text });
    const deaf = await Raw.connect(t, server, { userId: "deaf" });
    let isGone = false;
    const gone = server.logged({ message: "disconnected", user: "deaf" }).then((line) => (isGone = line));
    for (let n = 0; n < 300 && !isGone; n += 1) {
      deaf.send(`42${n}["load-messages",{"room":"lobby"}]`);
      // An event of another client in between: the server must not be blocked.
      await done(bob, "list-rooms", {});
    }
    assert.equal((await gone).reason, "slow-consumer");
    await server.reaches("sockeye_queued_bytes", 0);
  });
});

describe("an official client whose connection stalls", () => {
  for (const transports of TRANSPORTS) {
    test(`is dropped over ${transports.join(" upgraded to ")}, reconnects, and loads the messages it missed`, async (t) => {
      const server = await start(t, TIGHT);
      const bob = await server.user("bob");
      const through = await proxy(t, server.port);
      const options = { reconnection: true, reconnectionDelay: 10, reconnectionDelayMax: 20, auth: { userId: "ada" } };
      const ada = server.client({ transports, url: through.url, ...options });
      await established(ada);
      await upgraded(ada);
      const { revision } = await done(ada, "send-message", { n: 0 });
      const { id } = ada;
      through.shape = (connection) => connection.stall();
      through.stall();
      const first = await done(bob, "send-message", { n: 1 });
      await flood(server, bob, id);
      through.shape = () => {};
      through.resume();
      assert.match(await once(ada, "disconnect"), /^transport (close|error)$/);
      await once(ada, "connect");
      assert.equal(ada.recovered, false, "what did not fit is gone");
      assert.notEqual(ada.id, id);
      await once(ada, "session", ({ socketId }) => socketId === ada.id);
      const { messages } = await done(ada, "join-room", { room: "lobby", since: revision });
      assert.deepEqual(messages.map((message) => message.id), [first.id]);
      await server.reaches("sockeye_queued_bytes", 0);
      assert.equal(await server.metric("sockeye_connections"), 2);
    });

    test(`gets everything in order over ${transports.join(" upgraded to ")} while it is below the limit`, async (t) => {
      const server = await start(t, { ...SETTINGS, "relay.message.to": "everyone", "relay.draw.to": "everyone" });
      const bob = await server.user("bob");
      const through = await proxy(t, server.port);
      const ada = server.client({ transports, url: through.url, auth: { userId: "ada" } });
      await established(ada);
      await upgraded(ada);
      const heard = [];
      ada.on("message", (n) => typeof n === "number" && heard.push(n));
      ada.on("draw", (n) => heard.push(n));
      ada.on("message-saved", ({ message }) => heard.push(message.body.n));
      const total = 1_500;
      for (let n = 1; n <= total; n += 1) {
        if (n % 100 === 0) through.stall();
        if (n % 100 === 50) through.resume();
        if (n % 3 === 0) bob.emit("message", n, "x".repeat(n % 1_000));
        if (n % 3 === 1) bob.emit("draw", n, Buffer.alloc(n % 1_000));
        if (n % 3 === 2) bob.emit("send-message", { n });
        if (n % 50 === 0) await done(bob, "list-rooms", {});
      }
      through.resume();
      await fence(bob, ada);
      assertWhole(heard, total);
      assert.equal(await server.metric(DROPS), 0);
      await server.reaches("sockeye_queued_bytes", 0);
    });
  }
});

test("the bytes queued for all clients together are limited", async (t) => {
  const server = await start(t, { ...SETTINGS, "limits.queued-bytes-total": 400_000 });
  const bob = await server.user("bob");
  for (let n = 0; n < 4; n += 1) await Raw.connect(t, server, { userId: `deaf ${n}` });
  await server.reaches("sockeye_connections", 5);
  const count = await floodUntil(server, bob, 1);
  assert.ok((await server.metric("sockeye_queued_bytes")) <= 400_000 + 4 * TEXT.length);
  await whole(bob, bob, count);
});
