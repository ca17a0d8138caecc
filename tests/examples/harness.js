// An example in Rust and its Node server, and the official client for both.

import assert from "node:assert/strict";
import http from "node:http";
import { afterEach, beforeEach, describe } from "node:test";
import { fileURLToPath } from "node:url";

import { io } from "socket.io-client";

import { Inbox } from "../harness/inbox.js";
import { ServerProcess, built } from "../harness/process.js";
import { inTime } from "../harness/time.js";

const MAIN = fileURLToPath(new URL("node/main.mjs", import.meta.url));

const COMMANDS = {
  rust: (name) => [built(`examples/${name}`), ["127.0.0.1:0"]],
  node: (name) => [process.execPath, [MAIN, name]],
};

/** Defines the same cases for both servers. Each case has a server of its own. */
export function example(name, cases) {
  for (const [kind, command] of Object.entries(COMMANDS)) serverCases(`${name} in ${kind}`, command(name), cases);
}

/** Defines cases for a server that is started with this command and these arguments. Each case has one of its own. */
export function serverCases(topic, [command, args], cases) {
  describe(topic, () => {
    const server = new Server();
    beforeEach(() => server.launch(command, args));
    afterEach(() => server.end());
    cases(server);
  });
}

class Server extends ServerProcess {
  /** What is closed when the case ends, by functions. */
  cleanups = [];

  /** A client that is connecting, to a namespace, with an inbox of its events. */
  client({ namespace = "/", ...options } = {}) {
    const once = { forceNew: true, reconnection: false, transports: ["websocket"] };
    const socket = io(this.url + namespace, { ...once, ...options });
    this.cleanups.push(() => socket.disconnect());
    socket.inbox = new Inbox();
    socket.onAny((...event) => socket.inbox.add(event));
    socket.on("connect", () => socket.inbox.add(["connect"]));
    socket.on("connect_error", (error) => socket.inbox.add(["connect_error", error.message]));
    socket.on("disconnect", (reason) => socket.inbox.add(["disconnect", reason]));
    return socket;
  }

  /** A client that is connected. */
  async connect(options) {
    const socket = this.client(options);
    assert.deepEqual(await next(socket), ["connect"]);
    return socket;
  }

  /** A request: `{ status, headers, body }`, with the body's JSON, if it is some. */
  request(path, { method = "GET", headers = {}, json } = {}) {
    const body = json === undefined ? undefined : JSON.stringify(json);
    const type = body === undefined ? {} : { "content-type": "application/json" };
    const answer = new Promise((resolve, reject) => {
      const options = { method, headers: { ...type, ...headers }, agent: false };
      const request = http.request(this.url + path, options, (response) => {
        response.setEncoding("utf8");
        let text = "";
        response.on("data", (chunk) => (text += chunk));
        response.on("end", () => {
          const isJson = /json/.test(response.headers["content-type"]);
          resolve({ status: response.statusCode, headers: response.headers, body: isJson ? JSON.parse(text) : text });
        });
      });
      request.on("error", reject);
      request.end(body);
    });
    return inTime(answer, `the answer to ${method} ${path}`);
  }

  /** Ends the server. Fails if it has ended by itself. */
  async end() {
    for (const cleanup of this.cleanups.splice(0)) cleanup();
    const isHealthy = this.isRunning;
    await this.cleanUp();
    this.folder = undefined;
    assert.ok(isHealthy, `the server ended by itself: ${this.stderr}`);
  }
}

/** The next event that a client has received: its name and its arguments. */
export function next(socket) {
  return socket.inbox.next("an event");
}

/** The answer to an event. */
export function ask(socket, ...event) {
  return inTime(socket.emitWithAck(...event), `the answer to ${event[0]}`);
}
