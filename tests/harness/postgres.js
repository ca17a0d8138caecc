// A PostgreSQL server of the tests' own: in a temporary folder, on a free port, as an unprivileged user if the tests run
// as root. It ends with the process that has started it.

import assert from "node:assert/strict";
import { execFile, execFileSync, spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { chown, mkdtemp, readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

/** How long the server may take to start, in ms. */
const START_MS = 60_000;

/**
 * The shell that runs the server: it ends it in an orderly way when standard input is closed, and then removes the
 * folder; it ends when the server ends.
 */
const GUARD = `"$@" >> log 2>&1 & pid=$!
(while kill -0 $pid 2> /dev/null; do sleep 0.1; done; kill $$ 2> /dev/null) &
cat > /dev/null; kill -INT $pid; wait $pid; rm -rf "$PWD"`;

/** A program of the newest PostgreSQL that is installed. On Debian they are not in the path. */
function program(name) {
  const root = "/usr/lib/postgresql";
  const versions = existsSync(root) ? readdirSync(root).map(Number).sort((one, other) => other - one) : [];
  const found = versions.map((version) => `${root}/${version}/bin/${name}`).find((path) => existsSync(path));
  return found ?? name;
}

/** The user and group to run as, if this is root: PostgreSQL refuses to run as root. */
function unprivileged() {
  if (process.getuid() !== 0) return {};
  const id = (flag) => Number(execFileSync("id", [flag, "nobody"], { encoding: "utf8" }));
  return { uid: id("-u"), gid: id("-g") };
}

async function freePort() {
  const listener = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => listener.once("listening", resolve));
  const { port } = listener.address();
  await new Promise((resolve) => listener.close(resolve));
  return port;
}

export class Postgres {
  #user = unprivileged();
  #guard;
  #schemas = 0;

  /** Makes a cluster with the role and the database `sockeye`, and starts the server. */
  static async start() {
    const server = new Postgres();
    server.folder = await mkdtemp(join(tmpdir(), "sockeye-postgres-"));
    server.port = await freePort();
    if (server.#user.uid !== undefined) await chown(server.folder, server.#user.uid, server.#user.gid);
    const make = ["--username=sockeye", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "-D", "data"];
    await run(program("initdb"), make, server.#options);
    await server.run();
    const create = ["-h", server.folder, "-U", "sockeye", "-p", `${server.port}`, "sockeye"];
    await run(program("createdb"), create, server.#options);
    return server;
  }

  get #options() {
    return { ...this.#user, cwd: this.folder, env: { PATH: process.env.PATH, LC_ALL: "C" } };
  }

  get url() {
    return `postgres://sockeye@127.0.0.1:${this.port}/sockeye`;
  }

  /** The settings of a server with a schema of its own. */
  settings() {
    this.#schemas += 1;
    return { "store.url": this.url, "store.schema": `schema_${this.#schemas}` };
  }

  /** Starts the server, also again after `kill`. */
  async run() {
    const until = Date.now() + START_MS;
    const settings = ["-D", "data", "-p", `${this.port}`, "-k", this.folder];
    settings.push("-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "max_connections=200");
    while (Date.now() < until) {
      const stdio = ["pipe", "ignore", "ignore"];
      this.#guard = spawn("sh", ["-c", GUARD, "sh", program("postgres"), ...settings], { ...this.#options, stdio });
      if (await this.#isUp(until)) return;
      // The children of a killed server may still hold its shared memory.
      await pause(50);
    }
    assert.fail(`PostgreSQL does not start: ${await readFile(join(this.folder, "log"), "utf8")}`);
  }

  /** Waits until the server accepts connections. False if it has ended. */
  async #isUp(until) {
    const ask = ["-q", "-h", "127.0.0.1", "-p", `${this.port}`];
    while (Date.now() < until && this.#guard.exitCode === null && this.#guard.signalCode === null) {
      const isReady = await run(program("pg_isready"), ask).then(() => true, () => false);
      if (isReady) return true;
      await pause(20);
    }
    return false;
  }

  /** Ends the server without a checkpoint, as a crash would. */
  async kill() {
    const [pid] = (await readFile(join(this.folder, "data/postmaster.pid"), "utf8")).split("\n");
    const ended = new Promise((resolve) => this.#guard.once("exit", resolve));
    // The guard would end the server in an orderly way, and remove the folder.
    this.#guard.kill("SIGKILL");
    await ended;
    process.kill(Number(pid), "SIGKILL");
  }

  /** Ends the server and removes its folder. */
  async stop() {
    const ended = new Promise((resolve) => this.#guard.once("exit", resolve));
    this.#guard.stdin.end();
    await ended;
  }
}
