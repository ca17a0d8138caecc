// The real binary on a free port with a temporary folder, and the official clients of three generations.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import http from "node:http";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import io2 from "socket.io-client-2";
import { io as io3 } from "socket.io-client-3";
import { io as io4 } from "socket.io-client-4";
import { WebSocket } from "ws";

import { Inbox } from "../harness/inbox.js";
import { ServerProcess, built } from "../harness/process.js";
import { TIMEOUT_MS, inTime } from "../harness/time.js";

export { Inbox, inTime };

export const BINARY = process.env.SOCKEYE_BIN ?? built("sockeye");

/** The packet type of the answer to CONNECT. */
const CONNECT = 0;

const CLIENTS = { 2: io2, 3: io3, 4: io4 };
export const GENERATIONS = [4, 3, 2];
export const TRANSPORTS = [["websocket"], ["polling"], ["polling", "websocket"]];

/** The setting that `metric` requires. */
export const METRICS = { "metrics.listen": "127.0.0.1:0" };

/**
 * A running server; it ends with the test `t`. `settings` are for `--set key=value`, `variables` for the environment.
 */
export async function start(t, settings = {}, variables = {}) {
  const server = prepare(t, settings, variables);
  await server.start();
  return server;
}

/** A running server whose listener outlives it. SIGTERM restarts it, and the log has a line for each start. */
export async function startWithSocketUnit(t, settings = {}) {
  const server = prepare(t, settings, { PATH: process.env.PATH });
  await server.start(0, ["python3", fileURLToPath(new URL("socket_unit.py", import.meta.url))]);
  return server;
}

function prepare(t, settings, variables) {
  const server = new Server(settings, variables);
  t.after(async () => {
    for (const socket of server.sockets) socket.disconnect();
    await server.cleanUp();
  });
  return server;
}

/** The settings of a PostgreSQL that `with-postgres.js` has started: each server has a schema of its own. */
function database() {
  const url = process.env.STORE_URL;
  return url ? { "store.url": url, "store.schema": `server_${randomUUID()}` } : {};
}

class Server extends ServerProcess {
  sockets = [];
  /** The address of the metrics listener, once `metrics` was called. */
  #metrics;

  constructor(settings, variables) {
    super();
    this.variables = variables;
    this.settings = { "log.format": "json", ...database(), ...settings };
  }

  /**
   * Starts the server again after it ended: on the same folder and, if a port is given, the same address. A `supervisor`
   * is a command that starts the server.
   */
  async start(port = 0, supervisor = []) {
    const settings = Object.entries(this.settings).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
    const [command, ...args] = [...supervisor, BINARY, "serve", "--listen", `127.0.0.1:${port}`, "--data", "data", ...settings];
    await this.launch(command, args, this.variables);
  }

  /** The memory of the process in KiB. */
  async memory() {
    const status = await readFile(`/proc/${this.pid}/status`, "utf8");
    return Number(/VmRSS:\s+(\d+)/.exec(status)[1]);
  }

  /** Sends SIGTERM, as an operator would. */
  terminate() {
    process.kill(this.pid, "SIGTERM");
  }

  /** Sends SIGHUP, which reloads the settings, including `sockeye.toml` in its folder. */
  hangUp() {
    process.kill(this.pid, "SIGHUP");
  }

  /**
   * A client that does not connect yet, to the server or to the `url` of a proxy. v2 clients have no `auth`; the query
   * is used instead.
   */
  client({ generation = 4, transports = ["websocket"], url = this.url, auth, ...options } = {}) {
    const credentials = generation === 2 ? { query: auth } : { auth };
    const once = { forceNew: true, reconnection: false, autoConnect: false, transports };
    const socket = CLIENTS[generation](url, { ...once, ...(auth && credentials), ...options });
    return this.watch(socket, generation === 2 ? "error" : "connect_error");
  }

  /**
   * Collects the events that a client receives, without recovery offsets, and disconnects it at the end of the test.
   */
  watch(socket, refusal = "connect_error") {
    this.sockets.push(socket);
    socket.inbox = new Inbox();
    // These two exist in all generations; `onAny` only since v3.
    const { onevent, onpacket } = socket;
    socket.onpacket = (packet) => {
      if (packet.type === CONNECT) socket.offsets = packet.data?.pid !== undefined;
      onpacket.call(socket, packet);
    };
    socket.onevent = (packet) => {
      const offset = socket.offsets && packet.id === undefined;
      socket.inbox.add(offset ? packet.data.slice(0, -1) : [...packet.data]);
      onevent.call(socket, packet);
    };
    socket.on("connect", () => socket.inbox.add(["connect"]));
    socket.on("disconnect", (reason) => socket.inbox.add(["disconnect", reason]));
    socket.on(refusal, (error) => socket.inbox.add(["connect_error", error]));
    return socket;
  }

  /** A client that is connected and has received its `session`. */
  async connect(options) {
    const socket = this.client(options);
    await established(socket);
    return socket;
  }

  /** A client with this user id, as in `server.user("ada")`. */
  user(name, options) {
    return this.connect({ auth: { userId: name, name }, ...options });
  }

  /** The message of the `connect_error` that refuses a connection. */
  async refusal(options) {
    const socket = this.client(options);
    socket.connect();
    const [name, error] = await socket.inbox.take(
      ([name]) => name === "connect_error" || name === "session",
      "an answer to a connection",
    );
    assert.equal(name, "connect_error", "the connection was not refused");
    socket.disconnect();
    return typeof error === "string" ? error : error.message;
  }

  /** The text of `GET /metrics`. Needs `METRICS`. */
  async metrics() {
    this.#metrics ??= `http://${(await this.logged({ message: "metrics" })).address}`;
    return (await this.request("/metrics", { url: this.#metrics })).body;
  }

  /**
   * The value of a metric; labels as in the exposition format: `metric('x_total{code="forbidden"}')`. Requires
   * `METRICS`.
   */
  async metric(name) {
    const line = (await this.metrics()).split("\n").find((line) => line.startsWith(`${name} `));
    return line === undefined ? 0 : Number(line.slice(name.length + 1));
  }

  /** Fulfilled when a metric has this value. */
  async reaches(name, value) {
    const deadline = Date.now() + TIMEOUT_MS;
    let now = await this.metric(name);
    for (; now !== value && Date.now() < deadline; now = await this.metric(name)) await pause(10);
    assert.equal(now, value, name);
  }

  /** A plain HTTP request: `{ status, headers, body }`. */
  request(path, { method = "GET", url = this.url, headers = {}, body } = {}) {
    const answer = new Promise((resolve, reject) => {
      const request = http.request(url + path, { method, headers, agent: false }, (response) => {
        response.setEncoding("utf8");
        let text = "";
        response.on("data", (chunk) => (text += chunk));
        response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, body: text }));
        response.on("error", reject);
      });
      request.on("error", reject);
      request.end(body);
    });
    return inTime(answer, `the answer to ${method} ${path}`);
  }

  /** A raw WebSocket, the status of its upgrade, and its frames as text; the last item is "closed". */
  async websocket(headers = {}, query = "EIO=4") {
    const socket = new WebSocket(`ws://${this.host}/socket.io/?${query}&transport=websocket`, { headers });
    this.sockets.push({ disconnect: () => socket.terminate() });
    const frames = new Inbox();
    socket.on("message", (data) => frames.add(data.toString()));
    socket.on("error", () => {});
    socket.once("close", () => frames.add("closed"));
    const answer = new Promise((resolve) => {
      socket.once("open", () => resolve({ status: 101 }));
      socket.once("unexpected-response", (request, response) => {
        request.destroy();
        resolve({ status: response.statusCode });
      });
    });
    const { status } = await inTime(answer, "an answer to the upgrade");
    return { status, socket, frames };
  }
}

/** Writes this into the server's configuration file and reloads it. Returns the names of the settings that changed. */
export async function reload(server, text) {
  await writeFile(join(server.folder, "sockeye.toml"), text);
  server.hangUp();
  const { changed } = await server.logged({ message: "the settings were read again" });
  return changed === "" ? [] : changed.split(", ");
}

/** Connects a client and waits for its `session`. */
export async function established(socket) {
  socket.connect();
  const [name, argument] = await socket.inbox.take(([name]) => name === "connect" || name === "connect_error", "connect");
  assert.equal(name, "connect", `refused with ${argument?.message ?? argument}`);
  socket.session = await once(socket, "session");
}

/** Makes a v4 client treat its connection as dead, as a missed heartbeat does; the network may be dead as well. */
export function missHeartbeat(socket) {
  socket.io.engine._onClose("ping timeout");
}

/** Fulfilled when a client that can upgrade has upgraded. */
export async function upgraded(socket) {
  const { engine } = socket.io;
  if (!socket.io.opts.transports.includes("websocket") || engine.transport.name === "websocket") return;
  const upgrade = new Promise((resolve, reject) => {
    engine.once("upgrade", resolve);
    engine.once("upgradeError", reject);
    engine.once("close", () => reject(new Error("closed before the upgrade")));
  });
  await inTime(upgrade, "the upgrade");
}

/** The arguments of the next event of this name that was not yet taken. */
export async function all(socket, event, matches = () => true, ms) {
  const [, ...args] = await socket.inbox.take(([name, ...args]) => name === event && matches(...args), event, ms);
  return args;
}

/** The first argument of the next event of this name that was not yet taken; also for `disconnect` and the like. */
export async function once(socket, event, matches, ms) {
  const [argument] = await all(socket, event, matches, ms);
  return argument;
}

/** The acknowledgement of an event. */
export function ask(socket, event, ...args) {
  const reply = new Promise((resolve) => socket.emit(event, ...args, resolve));
  return inTime(reply, `the acknowledgement of ${event}`);
}

/** The `data` of an event that must succeed. */
export async function done(socket, event, ...args) {
  const reply = await ask(socket, event, ...args);
  assert.equal(reply.success, true, `${event}: ${JSON.stringify(reply.error)}`);
  return reply.data;
}

/** The code of an event that must fail. */
export async function refused(socket, event, ...args) {
  const reply = await ask(socket, event, ...args);
  assert.equal(reply.success, false, `${event} was not refused`);
  assert.equal(typeof reply.error.message, "string");
  assert.deepEqual(Object.keys(reply.error).sort(), ["code", "message"]);
  return reply.error.code;
}

let fences = 0;

/** Fulfilled when everything emitted to `socket` on behalf of `sender` so far has arrived. */
export async function fence(sender, ...sockets) {
  const mark = `fence ${++fences}`;
  sender.emit("message", mark);
  for (const socket of sockets) await once(socket, "message", (text) => text === mark);
}

/** The events of these names that arrived and were not taken; call it after a `fence`. */
export function untaken(socket, ...events) {
  return socket.inbox.items.filter(([name]) => events.includes(name));
}
