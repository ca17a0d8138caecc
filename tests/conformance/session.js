// Engine.IO sessions of both revisions over both transports, and Socket.IO on top of them.

import assert from "node:assert/strict";

import { TIMEOUT_MS } from "./harness.js";
import { ask, assertRefused, websocket } from "./wire.js";

const SEPARATOR = "\x1e";

export const TRANSPORTS = ["polling", "websocket"];
export const REVISIONS = [4, 3];

/** Tells sockeye that this client accepts offsets, which it cannot detect here. Node ignores it. */
function asksRecovery(server) {
  return server.asksRecovery ? { recovery: "true" } : {};
}

/** All pairs of revision and transport, for cases that must hold in each. */
export const WAYS = REVISIONS.flatMap((eio) => TRANSPORTS.map((transport) => ({ eio, transport })));

/** Opens a session; `fields` are those of the OPEN packet. */
export function open(server, { transport = "websocket", ...options } = {}) {
  return transport === "polling" ? PollingSession.open(server, options) : WebSocketSession.open(server, options);
}

/** The common part of both transports. Packets are strings such as `4hello`, or buffers, which are binary messages. */
class Session {
  /** Whether `next` answers the pings of revision 4 by itself. */
  answersPings = true;

  constructor(server, eio) {
    this.server = server;
    this.eio = eio;
  }

  set fields(fields) {
    assert.equal(fields[0], "0", "the first packet is OPEN");
    this.open = JSON.parse(fields.slice(1));
    this.sid = this.open.sid;
  }

  /** The next packet other than NOOP over polling, and other than a ping that is answered automatically. */
  async next(what, ms) {
    for (;;) {
      const packet = await this.take(what, ms);
      if (packet === "6" && this.transport === "polling") continue;
      if (this.eio === 3 || packet !== "2" || !this.answersPings) return packet;
      await this.send("3");
    }
  }
}

class WebSocketSession extends Session {
  transport = "websocket";

  static async open(server, { eio = 4, query = {}, asks = asksRecovery(server), headers } = {}) {
    const session = new WebSocketSession(server, eio);
    session.websocket = await websocket(server, { query: { ...asks, ...query, EIO: eio }, headers });
    session.fields = await session.take();
    return session;
  }

  async send(...packets) {
    for (const packet of packets) {
      const isText = typeof packet === "string";
      this.websocket.send(isText || this.eio === 4 ? packet : Buffer.concat([Buffer.of(4), packet]));
    }
  }

  async take(what, ms) {
    const message = await this.websocket.next(what, ms);
    if (!Buffer.isBuffer(message) || this.eio === 4) return message;
    assert.equal(message[0], 4, "binary over WebSocket starts with the type of its packet");
    return message.subarray(1);
  }

  closed(ms) {
    return this.websocket.closed(ms);
  }

  /** Closes normally, and waits for the end of TCP. */
  close() {
    this.websocket.close();
    return this.closed();
  }
}

class PollingSession extends Session {
  transport = "polling";
  #received = [];

  static async open(server, { eio = 4, query = {}, asks = asksRecovery(server), headers } = {}) {
    const session = new PollingSession(server, eio);
    session.query = { ...asks, ...query, EIO: eio };
    session.headers = headers;
    [session.fields, ...session.#received] = await session.poll();
    session.query.sid = session.sid;
    return session;
  }

  /** A GET with any result. */
  get(options) {
    return ask(this.server, { query: this.query, headers: this.headers, ...options });
  }

  /** A POST of this body with any result. */
  post(body, options) {
    return ask(this.server, { method: "POST", query: this.query, body, ...options });
  }

  /** The packets of one poll. A case that has already failed does not fail again because of a waiting poll. */
  poll() {
    const packets = this.#poll();
    packets.catch(() => {});
    return packets;
  }

  async #poll() {
    const { status, headers, body } = await this.get();
    assert.equal(status, 200, `a poll was refused: ${body}`);
    assert.equal(headers["cache-control"], "no-store");
    return decodePayload(this.eio, headers["content-type"], body);
  }

  /** Sends all of these packets in one POST. */
  async send(...packets) {
    const { status, headers, body } = await this.post(encodePayload(this.eio, packets), {
      headers: { "content-type": "text/plain;charset=UTF-8" },
    });
    assert.equal(status, 200, `a POST was refused: ${body}`);
    assert.equal(headers["cache-control"], "no-store");
    assert.equal(body.toString(), "ok");
  }

  async take() {
    while (this.#received.length === 0) this.#received = await this.poll();
    return this.#received.shift();
  }

  /** Polls until the server no longer knows this session. */
  async closed() {
    for (;;) {
      const answer = await this.get();
      if (answer.status === 200) continue;
      return assertRefused(answer, 1, "Session ID unknown");
    }
  }

  /** Closes normally. */
  async close() {
    await this.send("1");
  }
}

/** Opens a WebSocket for the upgrade of this session, and sends nothing yet. */
export function candidate({ server, eio, sid }) {
  return websocket(server, { query: { EIO: eio, sid } });
}

/** A candidate whose probe has been answered. */
export async function probed(session) {
  const probe = await candidate(session);
  await probe.send("2probe");
  assert.equal(await probe.next(), "3probe");
  return probe;
}

/** The session over its candidate, after UPGRADE was sent. */
export async function upgraded(session, probe) {
  await probe.send("5");
  const { server, eio, open, sid } = session;
  return Object.assign(new WebSocketSession(server, eio), { websocket: probe, open, sid });
}

export function encodePayload(eio, packets) {
  const text = (packet) => {
    if (typeof packet === "string") return packet;
    return (eio === 4 ? "b" : "b4") + packet.toString("base64");
  };
  if (eio === 4) return packets.map(text).join(SEPARATOR);
  return packets.map((packet) => `${text(packet).length}:${text(packet)}`).join("");
}

export function decodePayload(eio, contentType, body) {
  if (contentType === "application/octet-stream") {
    assert.equal(eio, 3, "revision 4 has no binary payload");
    return decodeBinaryPayload(body);
  }
  assert.equal(contentType, "text/plain; charset=UTF-8");
  const prefix = eio === 4 ? "b" : "b4";
  return split(eio, body.toString()).map((packet) => {
    if (!packet.startsWith("b")) return packet;
    assert.ok(packet.startsWith(prefix));
    return Buffer.from(packet.slice(prefix.length), "base64");
  });
}

function split(eio, text) {
  if (eio === 4) return text.split(SEPARATOR);
  const packets = [];
  while (text !== "") {
    const [, length] = /^(\d+):/.exec(text) ?? assert.fail(`not a payload: ${text}`);
    const start = length.length + 1;
    const end = start + Number(length);
    assert.ok(text.length >= end, `shorter than it says: ${text}`);
    packets.push(text.slice(start, end));
    text = text.slice(end);
  }
  return packets;
}

/** Revision 3: a byte that says text or binary, the length in decimal digits as bytes, 255, and the packet. */
function decodeBinaryPayload(body) {
  const packets = [];
  while (body.length > 0) {
    const end = body.indexOf(255);
    const length = Number(body.subarray(1, end).join(""));
    const packet = body.subarray(end + 1, end + 1 + length);
    assert.equal(packet.length, length, "a packet is shorter than it says");
    if (body[0] === 1) assert.equal(packet[0], 4, "only messages are binary");
    packets.push(body[0] === 1 ? packet.subarray(1) : packet.toString());
    body = body.subarray(end + 1 + length);
  }
  return packets;
}

/** The binary payload of revision 3; see `decodeBinaryPayload`. */
export function encodeBinaryPayload(packets) {
  return Buffer.concat(
    packets.flatMap((packet) => {
      const isText = typeof packet === "string";
      const bytes = isText ? Buffer.from(packet) : Buffer.concat([Buffer.of(4), packet]);
      const digits = [...String(bytes.length)].map(Number);
      return [Buffer.of(isText ? 0 : 1, ...digits, 255), bytes];
    }),
  );
}

/** A client in one namespace that has received its `welcome`. */
export async function connect(server, { namespace = "/", auth, ...options } = {}) {
  const session = await open(server, options);
  if (session.eio === 4) return join(session, namespace, auth);
  const main = await joined(session, "/");
  return namespace === "/" ? main : join(session, namespace);
}

/** Joins another namespace over the same session. */
export function join(session, namespace, auth) {
  const name = namespace === "/" ? "" : `${namespace},`;
  session.send(`40${name}${auth === undefined ? "" : JSON.stringify(auth)}`);
  return joined(session, namespace);
}

async function joined(session, namespace) {
  const socket = new Socket(session, namespace);
  const packet = await socket.next("CONNECT");
  assert.deepEqual([packet.type, packet.namespace], ["CONNECT", namespace], JSON.stringify(packet));
  if (session.eio === 4) {
    assert.deepEqual(Object.keys(packet.data), session.server.hasOffsets ? ["sid", "pid"] : ["sid"]);
    Object.assign(socket, { id: packet.data.sid, pid: packet.data.pid });
  } else {
    assert.equal(packet.data, undefined);
    socket.id = namespace === "/" ? session.sid : `${namespace}#${session.sid}`;
  }
  const welcome = await socket.next("welcome");
  assert.deepEqual([welcome.type, welcome.data[0]], ["EVENT", "welcome"]);
  Object.assign(socket, { auth: welcome.data[1], offset: welcome.data[2] });
  return socket;
}

const TYPES = ["CONNECT", "DISCONNECT", "EVENT", "ACK", "CONNECT_ERROR", "BINARY_EVENT", "BINARY_ACK"];

export class Socket {
  #acks = 0;

  constructor(session, namespace) {
    this.session = session;
    this.namespace = namespace;
    this.prefix = namespace === "/" ? "" : `${namespace},`;
  }

  /** The same socket after the upgrade of its session. */
  over(session) {
    return Object.assign(new Socket(session, this.namespace), { id: this.id });
  }

  /** Sends the packets of an event; buffers in its arguments become attachments. */
  event(args, id = "") {
    return this.#packets(2, args, id);
  }

  /** Emits an event without acknowledgement. */
  emit(...args) {
    return this.session.send(...this.event(args));
  }

  /** Sends the acknowledgement of the server's event `id`. */
  answer(id, ...args) {
    return this.session.send(...this.#packets(3, args, id));
  }

  /** The arguments of the acknowledgement, which must be the next packet. */
  async ask(...args) {
    const id = this.#acks++;
    await this.session.send(...this.event(args, id));
    const { type, namespace, id: answered, data } = await this.next(`the acknowledgement of ${args[0]}`);
    assert.deepEqual({ type, namespace, id: answered }, { type: "ACK", namespace: this.namespace, id }, JSON.stringify(data));
    return data;
  }

  /** The next Socket.IO packet, with its attachments in place. */
  async next(what = "a packet", ms) {
    const packet = decode(await this.session.next(what, ms));
    if (packet.attachments === undefined) return packet;
    const buffers = [];
    while (buffers.length < packet.attachments) buffers.push(await this.session.next("an attachment"));
    return { ...packet, type: packet.type.slice("BINARY_".length), data: inPlace(packet.data, buffers) };
  }

  /** The next packet must be this event. Returns its offset. */
  async receives(event, ...args) {
    const { type, namespace, id, data } = await this.next(event);
    const heard = data?.slice(0, args.length + 1);
    const expected = { type: "EVENT", namespace: this.namespace, id: undefined, heard: [event, ...args] };
    assert.deepEqual({ type, namespace, id, heard }, expected);
    const rest = data.slice(args.length + 1);
    const { server, eio } = this.session;
    const offsets = rest.map((offset) => typeof offset);
    if (!server.hasOffsets) assert.deepEqual(offsets, []);
    // Revision 3 has no recovery: its clients ignore an offset.
    else if (eio === 4) assert.deepEqual(offsets, ["string"], "an offset");
    return rest[0];
  }

  /** The next packet must be this event with an acknowledgement id. Returns the id. */
  async isAsked(event, ...args) {
    const { type, namespace, id, data } = await this.next(event);
    assert.deepEqual({ type, namespace, data }, { type: "EVENT", namespace: this.namespace, data: [event, ...args] });
    assert.equal(typeof id, "number");
    return id;
  }

  /** Waits until the server has processed everything sent so far, and asserts that it sent nothing. */
  async isAlive() {
    const mark = `alive ${Math.random()}`;
    assert.deepEqual(await this.ask("echo", mark), [mark]);
  }

  #packets(type, args, id) {
    const buffers = [];
    const json = JSON.stringify(withPlaceholders(args, buffers));
    if (buffers.length === 0) return [`4${type}${this.prefix}${id}${json}`];
    return [`4${type + 3}${buffers.length}-${this.prefix}${id}${json}`, ...buffers];
  }
}

export function decode(packet) {
  assert.equal(typeof packet, "string", `a packet of Socket.IO, not ${JSON.stringify(packet)}`);
  const match = /^4([0-6])(?:(\d+)-)?(\/[^,]*,)?(\d+)?(.*)$/su.exec(packet);
  assert.ok(match, `not a packet of Socket.IO: ${packet}`);
  const [, type, attachments, namespace, id, json] = match;
  return {
    type: TYPES[type],
    attachments: attachments && Number(attachments),
    namespace: namespace?.slice(0, -1) ?? "/",
    id: id && Number(id),
    data: json === "" ? undefined : JSON.parse(json),
  };
}

function withPlaceholders(value, buffers) {
  if (Buffer.isBuffer(value)) return { _placeholder: true, num: buffers.push(value) - 1 };
  return mapped(value, (inner) => withPlaceholders(inner, buffers));
}

function inPlace(value, buffers) {
  if (value?._placeholder) return buffers[value.num];
  return mapped(value, (inner) => inPlace(inner, buffers));
}

function mapped(value, change) {
  if (Array.isArray(value)) return value.map(change);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, change(inner)]));
}

/** The reason of the nth disconnect of this socket; waits for it. */
export async function reasonOf(server, id, times = 1) {
  const observer = await connect(server);
  const until = performance.now() + TIMEOUT_MS;
  for (;;) {
    const [reasons] = await observer.ask("reasons");
    const found = reasons.filter(([socketId]) => socketId === id);
    if (found.length >= times) return found[times - 1][1];
    if (performance.now() > until) throw new Error(`${id} is not among those that were disconnected`);
  }
}
