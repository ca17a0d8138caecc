// How long a saved send takes while retention removes a million messages beside it.
//
//   npm ci --prefix tests/clients
//   node bench/retention.mjs target/release/sockeye [MESSAGES]
//
// Prints the quantiles of a load of saved sends: alone, and while the messages are removed.

import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";

const require = createRequire(new URL("../tests/clients/package.json", import.meta.url));
const { io } = require("socket.io-client-4");

const [binary, messages = "1000000"] = process.argv.slice(2);
const WANTED = Number(messages);
const SENDERS = 20;
/** Sends of the load per second, over all senders. */
const RATE = 1_000;
/** Rooms in which the messages are that are removed. */
const OLD_ROOMS = 20;
const SECONDS_ALONE = 20;

const folder = await mkdtemp(join(tmpdir(), "sockeye-retention-"));
const config = join(folder, "sockeye.toml");
await writeFile(config, "");
const settings = ["limits.events-per-second=0", "limits.sockets-per-address=0", "limits.events-in-flight=4096", "log.format=json"];
const url = process.env.STORE_URL === undefined ? [] : [`store.url=${process.env.STORE_URL}`];
const flags = [...settings, ...url].flatMap((setting) => ["--set", setting]);
const server = spawn(binary, ["serve", "--config", config, "--listen", "127.0.0.1:0", "--data", join(folder, "data"), ...flags]);
let removed = 0;
createInterface(server.stderr).on("line", (line) => {
  const logged = JSON.parse(line);
  if (logged.message.startsWith("removed messages")) removed += logged.messages;
});
const first = await new Promise((resolve) => createInterface(server.stdout).once("line", resolve));
const address = first.replace("listening on ", "");

const connect = (id) =>
  new Promise((resolve, reject) => {
    const socket = io(address, { auth: { userId: id, name: id }, transports: ["websocket"], forceNew: true });
    socket.once("connect", () => resolve(socket));
    socket.once("connect_error", reject);
  });
const send = (socket, room, number) =>
  new Promise((resolve, reject) => {
    const text = `message ${number} `.padEnd(100, "x");
    socket.emit("send-message", { room, text }, (reply) => (reply.success ? resolve() : reject(new Error(reply.error.message))));
  });

try {
  const senders = await Promise.all(Array.from({ length: SENDERS }, (_, number) => connect(`sender ${number}`)));
  const start = Date.now();
  let sent = 0;
  await Promise.all(
    senders.map(async (socket) => {
      const lane = async () => {
        while (sent < WANTED) {
          sent += 1;
          await send(socket, `old ${sent % OLD_ROOMS}`, sent);
        }
      };
      await Promise.all(Array.from({ length: 32 }, lane));
    }),
  );
  console.log(`${WANTED} messages saved in ${Math.round((Date.now() - start) / 1000)} s`);
  await pause(6_000);
  const alone = await load(senders, () => false, SECONDS_ALONE);
  report("alone", alone);
  await writeFile(config, '[retention."old *"]\nmax-messages = 1\n');
  server.kill("SIGHUP");
  const begun = Date.now();
  const beside = await load(senders, () => removed >= WANTED - OLD_ROOMS, 3_600);
  console.log(`${removed} messages removed in ${Math.round((Date.now() - begun) / 1000)} s`);
  report("beside", beside);
  console.log(`p99: ${(quantile(beside, 0.99) / quantile(alone, 0.99)).toFixed(2)} times`);
} finally {
  server.kill("SIGKILL");
  await rm(folder, { recursive: true, force: true });
}
process.exit(0);

/** Sends at a fixed rate, each when it is due; returns the times in milliseconds from then to the acknowledgements. */
async function load(senders, isOver, seconds) {
  const times = [];
  const begin = performance.now();
  const pending = [];
  for (let number = 0; !isOver() && performance.now() - begin < seconds * 1_000; number += 1) {
    const due = begin + (number * 1_000) / RATE;
    const early = due - performance.now();
    if (early > 1) await pause(early);
    const at = performance.now();
    const done = send(senders[number % SENDERS], `new ${number % SENDERS}`, number);
    pending.push(done.then(() => times.push(performance.now() - at)));
  }
  await Promise.all(pending);
  return times.sort((one, other) => one - other);
}

function quantile(sorted, part) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
}

function report(name, times) {
  const shown = [0.5, 0.9, 0.99, 0.999].map((part) => `p${part * 100} ${quantile(times, part).toFixed(2)} ms`);
  console.log(`${name}: ${times.length} sends, ${shown.join(", ")}`);
}
