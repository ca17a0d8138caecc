// The two servers that every case runs against: Node's, which is the reference, and sockeye.

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
  sockeye: [process.env.CONFORMANCE_BIN ?? built("examples/conformance"), ...(process.env.MOUNTED ? ["--mounted"] : [])],
};

/** Which of the two are tested: both, or the one named by `ONLY`. With `MOUNTED`, sockeye is mounted in an axum app. */
const KINDS = process.env.ONLY ? [process.env.ONLY] : Object.keys(COMMANDS);

/** The largest message and the largest body of a POST, in bytes. */
export const MAX_PAYLOAD = 100_000;

/** Intervals so long that no heartbeat or timeout happens while a case runs. */
export const PATIENT = { pingInterval: 25_000, pingTimeout: 20_000, connectTimeout: 45_000, upgradeTimeout: 20_000 };

/** Without recovery, so that a socket disconnects at once: for cases about the reason of a disconnect. */
export const FORGETFUL = { ...PATIENT, hasRecovery: false };

/** For cases about timeouts: short enough to wait for, long enough for a client on a busy machine. */
export const HASTY = { pingInterval: 300, pingTimeout: 2_000 };

/** Defines the same cases for each server, which is started with these settings. */
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
  /** Connections to destroy when the case ends, whether it passed or failed. */
  connections = new Set();

  constructor(kind, { hasRecovery = true, asksRecovery = true, allowEio3 = true, flags = [], ...timings }) {
    super();
    this.kind = kind;
    /** Whether clients ask for offsets, which sockeye requires of clients that it does not recognise. */
    this.asksRecovery = asksRecovery;
    /** Whether the server offers connection state recovery. Node's offers it to every client. */
    this.hasRecovery = hasRecovery && (kind === "sockeye" || asksRecovery);
    this.hasOffsets = hasRecovery && asksRecovery;
    this.allowEio3 = allowEio3;
    /** More flags of both servers. */
    this.flags = flags;
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
    args.push(...this.flags);
    if (!this.hasRecovery) args.push("--no-recovery");
    if (!this.allowEio3) args.push("--no-eio3");
    await this.launch(command, args, process.env);
  }

  /** The expected value for the server under test, in the few cases in which the two differ on purpose. */
  expects(expectations) {
    return expectations[this.kind];
  }

  closeConnections() {
    for (const connection of this.connections) connection.destroy();
    this.connections.clear();
  }

  /** Ends the server. Fails if it ended by itself. */
  async stop() {
    const isHealthy = this.isRunning || this.port === undefined;
    await this.cleanUp();
    assert.ok(isHealthy, `the server ended by itself: ${this.stderr}`);
  }
}
