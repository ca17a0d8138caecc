// The two servers that every case runs against: Node's, which is the specification, and ours.

import assert from "node:assert/strict";
import { after, afterEach, before, describe } from "node:test";
import { fileURLToPath } from "node:url";

import { Inbox } from "../harness/inbox.js";
import { ServerProcess, built } from "../harness/process.js";
import { TIMEOUT_MS, inTime } from "../harness/time.js";

export { Inbox, TIMEOUT_MS, inTime };

const PEER = fileURLToPath(new URL("peer.mjs", import.meta.url));

const COMMANDS = {
  node: [process.execPath, PEER],
  sockeye: [process.env.CONFORMANCE_BIN ?? built("examples/conformance")],
};

/** Which of the two are tested: both, or the one that `ONLY` names. */
const KINDS = process.env.ONLY ? [process.env.ONLY] : Object.keys(COMMANDS);

/** The largest message and the largest body of a POST, in bytes. */
export const MAX_PAYLOAD = 100_000;

/** Nothing happens by itself while a case of this server runs. */
export const PATIENT = { pingInterval: 25_000, pingTimeout: 20_000, connectTimeout: 45_000, upgradeTimeout: 20_000 };

/** Who goes is gone at once: for cases that ask why somebody was disconnected. */
export const FORGETFUL = { ...PATIENT, hasRecovery: false };

/** Time is what the cases are about: short enough to wait for, long enough for a client that the machine holds up. */
export const HASTY = { pingInterval: 300, pingTimeout: 2_000 };

/** The same cases against each server, which is started with these settings for them. */
export function conformance(topic, settings, cases) {
  describe(topic, { concurrency: KINDS.length }, () => {
    for (const kind of KINDS) {
      describe(kind, { concurrency: 1 }, () => {
        const server = new Server(kind, settings);
        before(() => server.start());
        afterEach(() => server.closeConnections());
        after(() => server.stop());
        cases(server);
      });
    }
  });
}

class Server extends ServerProcess {
  /** Connections to destroy when the case ends, whatever became of it. */
  connections = new Set();

  constructor(kind, { hasRecovery = true, asksRecovery = true, allowEio3 = true, ...timings }) {
    super();
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
    await this.launch(command, args, process.env);
  }

  /** For the few cases in which the two differ on purpose: what is expected of this one. */
  expects(expectations) {
    return expectations[this.kind];
  }

  closeConnections() {
    for (const connection of this.connections) connection.destroy();
    this.connections.clear();
  }

  /** Ends the server, which must still run if it ever did. */
  async stop() {
    const isHealthy = this.isRunning || this.port === undefined;
    await this.cleanUp();
    assert.ok(isHealthy, `the server ended by itself: ${this.stderr}`);
  }
}
