// A server as a separate process: on a free port, in a temporary folder, with its log stored.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { Inbox } from "./inbox.js";
import { inTime } from "./time.js";

/** The path of a debug build: `sockeye`, or `examples/NAME`. */
export function built(name) {
  return fileURLToPath(new URL(`../../target/debug/${name}`, import.meta.url));
}

/** A server that can be started, ended and started again. Each suite extends it. */
export class ServerProcess {
  /** The working directory and temporary folder of the process; created by the first `launch`. */
  folder;
  /** Everything written to standard error, also before a restart. */
  stderr = "";
  /** The JSON log lines that `logged` has not taken yet. */
  #log = new Inbox();
  #child;
  #exit;

  /**
   * Starts `command` with these environment variables, and waits for its first line, `listening on
   * http://127.0.0.1:PORT`: `url`, `host` and `port` are taken from it.
   */
  async launch(command, args, variables = {}) {
    this.folder ??= await mkdtemp(join(tmpdir(), "sockeye-test-"));
    const env = { ...variables, TMPDIR: this.folder };
    this.#child = spawn(command, args, { cwd: this.folder, env, stdio: ["ignore", "pipe", "pipe"] });
    this.#exit = new Promise((resolve, reject) => {
      this.#child.once("error", reject);
      this.#child.once("close", (code, signal) => resolve({ code, signal }));
    });
    createInterface({ input: this.#child.stderr }).on("line", (line) => {
      this.stderr += `${line}\n`;
      if (line.startsWith('{"')) this.#log.add(JSON.parse(line));
    });
    const firstLine = new Promise((resolve) => createInterface({ input: this.#child.stdout }).once("line", resolve));
    const early = this.#exit.then(({ code, signal }) => {
      throw new Error(`the server ended with ${code ?? signal}: ${this.stderr}`);
    });
    early.catch(() => {});
    const line = await inTime(Promise.race([firstLine, early]), "the server's first line");
    this.url = /^listening on (http:\/\/127\.0\.0\.1:\d+)$/.exec(line)?.[1];
    assert.ok(this.url, `the first line on standard output says where: ${line}`);
    this.port = Number(new URL(this.url).port);
    this.host = `127.0.0.1:${this.port}`;
  }

  get pid() {
    return this.#child.pid;
  }

  get isRunning() {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** `{ code, signal }` once the process has ended. */
  exited() {
    return inTime(this.#exit, "the end of the server's process");
  }

  async kill() {
    if (this.isRunning) process.kill(this.pid, "SIGKILL");
    await this.exited();
  }

  /** Ends the process if it still runs, and removes its folder. */
  async cleanUp() {
    if (this.#child !== undefined) await this.kill();
    if (this.folder !== undefined) await rm(this.folder, { recursive: true, force: true });
    assert.doesNotMatch(this.stderr, /panicked/, "the server panicked");
  }

  /** The first JSON log line with these fields that was not taken before. */
  logged(fields, ms) {
    const matches = (line) => Object.entries(fields).every(([name, value]) => line[name] === value);
    return this.#log.take(matches, `a log line with ${JSON.stringify(fields)}`, ms);
  }
}
