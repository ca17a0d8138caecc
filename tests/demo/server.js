// The real binary as a separate process, so that it can be killed.

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const BIN = process.env.SOCKEYE_BIN ?? fileURLToPath(new URL("../../target/debug/sockeye", import.meta.url));

/** Settings as flags. */
const flags = (settings) => Object.entries(settings).flatMap(([key, value]) => ["--set", `${key}=${value}`]);

/** A token of this user for these settings, with further options of `sockeye token`. */
export async function issueToken(user, settings, ...more) {
  const { stdout } = await promisify(execFile)(BIN, ["token", "--user", user, ...more, ...flags(settings)]);
  return stdout.trim();
}

/** Starts a server on a data folder, on a free port or on the port of an earlier server. */
export async function startServer({ data, port = 0, settings = {} }) {
  const child = spawn(BIN, ["serve", "--listen", `127.0.0.1:${port}`, "--data", data, ...flags(settings)], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const log = [];
  createInterface({ input: child.stderr }).on("line", (line) => log.push(line));
  const lines = createInterface({ input: child.stdout });
  const first = await Promise.race([
    once(lines, "line").then(([line]) => line),
    once(child, "error").then(([error]) => Promise.reject(error)),
    once(child, "exit").then(([code]) => Promise.reject(new Error(`the server ended with ${code}\n${log.join("\n")}`))),
  ]);
  lines.on("line", (line) => log.push(line));
  const url = /http:\/\/\S+/.exec(first)?.[0];
  if (url === undefined) throw new Error(`the server's first line names no address: ${first}`);

  const end = async (signal) => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill(signal);
    await ended;
  };
  return {
    url,
    port: Number(new URL(url).port),
    log,
    /** Ends the server with `kill -9`, without notice to clients. */
    kill: () => end("SIGKILL"),
    /** Shuts the server down, as a deploy does. */
    stop: () => end("SIGTERM"),
  };
}
