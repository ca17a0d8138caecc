// HTTP and WebSocket at the level of bytes: a case controls exactly what is sent.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import http from "node:http";
import net from "node:net";

import { Inbox, inTime } from "./harness.js";

const ACCEPT_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

export const CONTINUATION = 0x0;
export const TEXT = 0x1;
export const BINARY = 0x2;
export const CLOSE = 0x8;
export const PING = 0x9;
export const PONG = 0xa;

/** Close codes that never appear on the wire: for a close frame without a code, and for no close frame. */
export const NO_CODE = 1005;
export const NO_CLOSE_FRAME = 1006;

/** The path with this query; parameters that are `undefined` are omitted, and a list is a parameter for each value. */
export function target(query) {
  const all = Object.entries({ EIO: 4, ...query }).flatMap(([name, values]) => [values].flat().map((value) => [name, value]));
  const present = all.filter(([, value]) => value !== undefined);
  return `/socket.io/?${new URLSearchParams(present)}`;
}

/** A request in progress; `answer` is `{ status, headers, body }`. A POST without `body` stays unfinished. */
export function call(server, { method = "GET", query, headers = {}, body, agent = false }) {
  const path = target({ transport: "polling", ...query });
  const request = http.request({ host: "127.0.0.1", port: server.port, method, path, headers, agent });
  server.connections.add(request);
  const answer = new Promise((resolve, reject) => {
    request.once("error", reject);
    request.once("response", (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.once("error", reject);
      response.once("end", () => {
        server.connections.delete(request);
        resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) });
      });
    });
  });
  if (body !== undefined) request.end(body);
  else if (method !== "POST") request.end();
  const timely = inTime(answer, `the answer to ${method} ${path}`);
  // Some cases ignore the answer.
  timely.catch(() => {});
  return { request, answer: timely };
}

/** `{ status, headers, body }` of the response to a request. */
export function ask(server, options) {
  return call(server, options).answer;
}

/** One TCP connection for raw requests; `status` is that of the response to the next one. */
export async function connection(server) {
  const socket = net.connect({ host: "127.0.0.1", port: server.port, noDelay: true });
  server.connections.add(socket);
  socket.on("error", () => {});
  let received = "";
  const heads = new Inbox();
  socket.setEncoding("latin1").on("data", (text) => {
    received += text;
    for (let match; (match = /HTTP\/1\.1 (\d+) [^]*?\r\n\r\n/.exec(received)); received = received.slice(match.index + match[0].length)) {
      heads.add(Number(match[1]));
    }
  });
  socket.once("close", () => heads.add("closed"));
  return {
    status(request) {
      socket.write(request);
      return heads.next("the answer to a request");
    },
  };
}

/** Node's response to a request that it refuses. */
export function assertRefused({ status, headers, body }, code, message) {
  assert.deepEqual({ status, type: headers["content-type"] }, { status: 400, type: "application/json" });
  assert.equal(body.toString(), JSON.stringify({ code, message }));
}

/** The headers of CORS in a response. Names of headers have no case. */
export function corsHeaders(headers) {
  const ofCors = Object.entries(headers).filter(([name]) => name.startsWith("access-control-"));
  return Object.fromEntries(ofCors.map(([name, value]) => [name, name.endsWith("-headers") ? value.toLowerCase() : value]));
}

/** The bytes of one frame. `mask: false` violates the protocol. */
export function frame(opcode, payload = "", { fin = true, rsv = 0, mask = true, length } = {}) {
  const data = Buffer.from(payload);
  const size = length ?? data.length;
  const masked = mask ? 0x80 : 0;
  const head = [(fin ? 0x80 : 0) | (rsv << 4) | opcode];
  if (size < 126) {
    head.push(masked | size);
  } else if (size < 65_536) {
    head.push(masked | 126, size >> 8, size & 0xff);
  } else {
    const wide = Buffer.alloc(8);
    wide.writeBigUInt64BE(BigInt(size));
    head.push(masked | 127, ...wide);
  }
  if (!mask) return Buffer.concat([Buffer.from(head), data]);
  const key = randomBytes(4);
  return Buffer.concat([Buffer.from(head), key, data.map((byte, index) => byte ^ key[index % 4])]);
}

/** The payload of a close frame. */
export function closing(code, reason = "") {
  const head = Buffer.alloc(2);
  head.writeUInt16BE(code);
  return Buffer.concat([head, Buffer.from(reason)]);
}

/** The result of an upgrade request: `{ status, headers, body }`, and with 101 a `websocket`. */
export async function upgrade(server, { query, headers = {}, method = "GET", byteByByte = false } = {}) {
  const socket = net.connect({ host: "127.0.0.1", port: server.port, noDelay: true });
  server.connections.add(socket);
  socket.on("error", () => {});
  const key = randomBytes(16).toString("base64");
  const fields = {
    Host: `127.0.0.1:${server.port}`,
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Key": key,
    "Sec-WebSocket-Version": "13",
    ...headers,
  };
  const lines = Object.entries(fields).flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}`]));
  const request = [`${method} ${target({ transport: "websocket", ...query })} HTTP/1.1`, ...lines, "", ""].join("\r\n");
  await writeTo(socket, request, byteByByte);

  const head = await inTime(readHead(socket), "the answer to an upgrade");
  if (head.status !== 101) {
    const chunks = [head.rest];
    socket.on("data", (chunk) => chunks.push(chunk));
    const length = Number(head.headers["content-length"]);
    const isWhole = () => chunks.reduce((sum, chunk) => sum + chunk.length, 0) >= length;
    const whole = new Promise((resolve) => {
      if (isWhole()) resolve();
      socket.on("data", () => isWhole() && resolve());
      socket.once("close", resolve);
    });
    socket.resume();
    await inTime(whole, "the body of a refused upgrade");
    return { ...head, body: Buffer.concat(chunks) };
  }
  const accept = createHash("sha1").update(key + ACCEPT_SUFFIX).digest("base64");
  assert.equal(head.headers["sec-websocket-accept"], accept);
  return { ...head, websocket: new WebSocket(socket, head.rest) };
}

/** Opens a WebSocket, which must succeed. */
export async function websocket(server, options) {
  const { status, body, websocket } = await upgrade(server, options);
  assert.equal(status, 101, `the upgrade was refused: ${body}`);
  return websocket;
}

/** With `byteByByte`, every byte is a separate TCP segment. */
async function writeTo(socket, data, byteByByte) {
  if (!byteByByte) return socket.write(data);
  for (const byte of Buffer.from(data)) {
    await new Promise((resolve) => socket.write(Buffer.of(byte), resolve));
  }
}

function readHead(socket) {
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0);
    const read = (chunk) => {
      received = Buffer.concat([received, chunk]);
      const end = received.indexOf("\r\n\r\n");
      if (end === -1) return;
      socket.pause();
      socket.off("data", read);
      const [first, ...lines] = received.subarray(0, end).toString().split("\r\n");
      const headers = lines.map((line) => [line.split(":", 1)[0].toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]);
      const status = Number(first.split(" ")[1]);
      resolve({ status, headers: Object.fromEntries(headers), rest: received.subarray(end + 4) });
    };
    socket.on("data", read);
    socket.once("close", () => reject(new Error(`closed before an answer: ${received}`)));
  });
}

/** The client's end of a WebSocket, which can send any bytes. */
export class WebSocket {
  /** Whether a close frame is answered with a close frame, as the protocol requires. */
  answersClose = true;
  #socket;
  #received;
  #fragments = [];
  #messages = new Inbox();

  constructor(socket, rest) {
    this.#socket = socket;
    this.#received = rest;
    this.#read();
    socket.on("data", (chunk) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#read();
    });
    socket.once("close", () => this.#messages.add({ end: true }));
    socket.resume();
  }

  /** Sends any bytes. */
  write(data, { byteByByte = false } = {}) {
    return writeTo(this.#socket, data, byteByByte);
  }

  /** Sends a whole message: text for a string, binary for a buffer. */
  send(data) {
    return this.write(frame(typeof data === "string" ? TEXT : BINARY, data));
  }

  /**
   * The next thing received: a string, a buffer, or for anything else an object: `{ ping }`, `{ pong }`, `{ close,
   * reason }` or, at the end of TCP, `{ end: true }`.
   */
  next(what = "a message over WebSocket", ms) {
    return this.#messages.next(what, ms);
  }

  /** The code with which the server closes; messages before that are discarded. */
  async closed(ms) {
    let code = NO_CLOSE_FRAME;
    for (;;) {
      const message = await this.next(() => "the end of a WebSocket", ms);
      if (message.close !== undefined) code = message.close;
      if (message.end) return code;
    }
  }

  /** Starts to close normally. */
  close(payload = closing(1000)) {
    this.answersClose = false;
    this.write(frame(CLOSE, payload));
  }

  /** Ends TCP without a close frame. */
  end() {
    this.#socket.end();
  }

  /** Resets TCP, as when a process is killed or a network is lost. */
  reset() {
    this.#socket.resetAndDestroy();
  }

  #read() {
    for (;;) {
      const bytes = this.#received;
      if (bytes.length < 2) return;
      const fin = (bytes[0] & 0x80) !== 0;
      const opcode = bytes[0] & 0x0f;
      assert.equal(bytes[0] & 0x70, 0, "no extension was agreed on");
      assert.equal(bytes[1] & 0x80, 0, "a server must not mask");
      let length = bytes[1] & 0x7f;
      let start = 2;
      if (length === 126) {
        if (bytes.length < 4) return;
        length = bytes.readUInt16BE(2);
        start = 4;
      } else if (length === 127) {
        if (bytes.length < 10) return;
        length = Number(bytes.readBigUInt64BE(2));
        start = 10;
      }
      if (bytes.length < start + length) return;
      this.#received = bytes.subarray(start + length);
      this.#take(fin, opcode, bytes.subarray(start, start + length));
    }
  }

  #take(fin, opcode, payload) {
    if (opcode === PING) return this.#messages.add({ ping: payload.toString() });
    if (opcode === PONG) return this.#messages.add({ pong: payload.toString() });
    if (opcode === CLOSE) {
      const code = payload.length < 2 ? NO_CODE : payload.readUInt16BE();
      this.#messages.add({ close: code, reason: payload.subarray(2).toString() });
      if (this.answersClose) this.write(frame(CLOSE, payload));
      return;
    }
    this.#fragments.push({ opcode, payload });
    if (!fin) return;
    const whole = Buffer.concat(this.#fragments.map((fragment) => fragment.payload));
    const isText = this.#fragments[0].opcode === TEXT;
    this.#fragments = [];
    this.#messages.add(isText ? whole.toString() : whole);
  }
}
