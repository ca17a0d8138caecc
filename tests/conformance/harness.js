// The two servers that every case runs against: Node's, which is the specification, and ours.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { after, afterEach, before, describe } from "node:test";
import { fileURLToPath } from "node:url";

const BINARY =
  process.env.CONFORMANCE_BIN ??
  fileURLToPath(new URL("../../target/debug/examples/conformance", import.meta.url));
const PEER = fileURLToPath(new URL("peer.mjs", import.meta.url));

const COMMANDS = { node: [process.execPath, PEER], sockeye: [BINARY] };

/** Which of the two are tested: both, or the one that `ONLY` names. */
const KINDS = process.env.ONLY ? [process.env.ONLY] : Object.keys(COMMANDS);

/** How long anything that must happen may take, on a busy machine too. */
export const TIMEOUT_MS = 10_000;

/** The largest message and the largest body of a POST, in bytes. */
export const MAX_PAYLOAD = 100_000;

/** Nothing happens by itself while a case of this server runs. */
export const PATIENT = { pingInterval: 25_000, pingTimeout: 20_000, connectTimeout: 45_000, upgradeTimeout: 10_000 };

/** Who goes is gone at once: for cases that ask why somebody was disconnected. */
export const FORGETFUL = { ...PATIENT, hasRecovery: false };

/** Time is what the cases are about: short enough to wait for, long enough for a client that the machine holds up. */
export const HASTY = { pingInterval: 300, pingTimeout: 2_000 };

/** What a promise is fulfilled with, or an error that says what did not happen. */
export async function inTime(promise, what, ms = TIMEOUT_MS) {
  let timer;
  const late = new Promise((_, reject) => {
    const fail = () => reject(new Error(`${typeof what === "function" ? what() : what}: not within ${ms} ms`));
    timer = setTimeout(fail, ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Things that arrive one after the other, and the one who waits for the next. */
export class Inbox {
  #waiting = [];
  items = [];

  add(item) {
    if (this.#waiting.length > 0) this.#waiting.shift()(item);
    else this.items.push(item);
  }

  async take(what, ms) {
    if (this.items.length > 0) return this.items.shift();
    let arrive;
    const arrived = new Promise((resolve) => (arrive = resolve));
    this.#waiting.push(arrive);
    try {
      return await inTime(arrived, what, ms);
    } finally {
      this.#waiting = this.#waiting.filter((waiting) => waiting !== arrive);
    }
  }
}

/** The same cases against each server, which is started with these settings for them. */
export function conformance(topic, settings, cases) {
  describe(topic, { concurrency: KINDS.length }, () => {
    for (const kind of KINDS) {
      describe(kind, { concurrency: 1 }, () => {
        const server = new Server(kind, settings);
        before(() => server.start());
        afterEach(() => server.hangUp());
        after(() => server.stop());
        cases(server);
      });
    }
  });
}

class Server {
  /** Connections to destroy when the case ends, whatever became of it. */
  connections = new Set();
  #stderr = "";
  #child;
  #exit;

  constructor(kind, { hasRecovery = true, asksRecovery = true, allowEio3 = true, ...timings }) {
    this.kind = kind;
    /** Whether clients ask for it, which sockeye takes as the word of those that it does not know. */
    this.asksRecovery = asksRecovery;
    /** Whether the server offers it. Node's asks nobody. */
    this.hasRecovery = hasRecovery && (kind === "sockeye" || asksRecovery);
    this.hasOffsets = hasRecovery && asksRecovery;
    this.allowEio3 = allowEio3;
    this.timings = timings;
  }

  async start() {
    const [command, ...args] = COMMANDS[this.kind];
    const { pingInterval, pingTimeout, connectTimeout, upgradeTimeout } = this.timings;
    const flags = {
      listen: "127.0.0.1:0",
      "ping-interval-ms": pingInterval,
      "ping-timeout-ms": pingTimeout,
      "connect-timeout-ms": connectTimeout,
      "upgrade-timeout-ms": upgradeTimeout,
      "max-payload": MAX_PAYLOAD,
    };
    args.push(...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)]));
    if (!this.hasRecovery) args.push("--no-recovery");
    if (!this.allowEio3) args.push("--no-eio3");
    this.#child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
    this.#exit = new Promise((resolve, reject) => {
      this.#child.once("error", reject);
      this.#child.once("close", (code, signal) => resolve(code ?? signal));
    });
    this.#child.stderr.setEncoding("utf8").on("data", (text) => (this.#stderr += text));
    const firstLine = new Promise((resolve) => createInterface({ input: this.#child.stdout }).once("line", resolve));
    const early = this.#exit.then((code) => {
      throw new Error(`the server ended with ${code}: ${this.#stderr}`);
    });
    early.catch(() => {});
    const line = await inTime(Promise.race([firstLine, early]), "the server's first line");
    const port = /^listening on http:\/\/127\.0\.0\.1:(\d+)$/.exec(line)?.[1];
    assert.ok(port, `the first line on standard output says where: ${line}`);
    this.port = Number(port);
  }

  /** For the few cases in which the two differ on purpose: what is expected of this one. */
  expects(expectations) {
    return expectations[this.kind];
  }

  hangUp() {
    for (const connection of this.connections) connection.destroy();
    this.connections.clear();
  }

  async stop() {
    if (this.port === undefined) return;
    const early = this.#child.exitCode ?? this.#child.signalCode;
    if (early === null) this.#child.kill("SIGKILL");
    await inTime(this.#exit, "the end of the server's process");
    assert.equal(early, null, `the server ended by itself: ${this.#stderr}`);
    assert.doesNotMatch(this.#stderr, /panicked/, "the server panicked");
  }
}
