// Measures searches over many messages while others are saved, with the binary and SQLite.
//
//   cargo build --release --bin sockeye && npm ci --prefix tests/clients
//   node bench/search.mjs target/release/sockeye [--messages 1000000] [--seconds 60] [--rate 1000]
//
// It fills a fresh folder through the front door, with made-up words whose frequencies are those of a language (Zipf),
// in 1,000 rooms. Then one client searches, one query after the other, while `--rate` messages a second are saved.

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";

const { WebSocket } = createRequire(new URL("../tests/clients/package.json", import.meta.url))("ws");

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    messages: { type: "string", default: "1000000" },
    seconds: { type: "string", default: "60" },
    rate: { type: "string", default: "1000" },
    set: { type: "string", multiple: true, default: [] },
  },
});
const binary = positionals[0] ?? "target/release/sockeye";
const total = Number(values.messages);

const ROOMS = 1_000;
const SENDERS = 50;
/** Messages of each sender whose answers have not come. */
const IN_FLIGHT = 40;
const VOCABULARY = 50_000;
/** How often the writer sends, in milliseconds. */
const TICK = 10;

/** The same numbers in each run (mulberry32). */
function generator(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const random = generator(1);
const pick = (list) => list[Math.floor(random() * list.length)];

const words = madeUp();
const sums = [];
for (let rank = 0, sum = 0; rank < VOCABULARY; rank += 1) sums.push((sum += 1 / (rank + 2.7)));

function madeUp() {
  const made = new Set();
  while (made.size < VOCABULARY) {
    // The most frequent words are the shortest.
    const syllables = 1 + Math.floor(random() * (made.size < 200 ? 2 : 4)) + (made.size < 200 ? 0 : 1);
    let word = "";
    for (let n = 0; n < syllables; n += 1) word += pick("bcdfghklmnprstvwz") + pick("aeiou");
    made.add(word + pick(["", "", "n", "s", "r", "t"]));
  }
  return [...made];
}

/** A word, the more often the lower its rank. */
function word() {
  const wanted = random() * sums.at(-1);
  let [low, high] = [0, VOCABULARY - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sums[middle] < wanted) low = middle + 1;
    else high = middle;
  }
  return words[low];
}

function text() {
  const length = 4 + Math.floor(random() * 17);
  return Array.from({ length }, word).join(" ");
}

/** A client of Socket.IO, as far as this needs one. */
class Client {
  #socket;
  #answers = new Map();
  #last = 0;

  static async connect(url, userId) {
    const client = new Client();
    client.#socket = new WebSocket(`${url.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`);
    await new Promise((resolve, reject) => {
      client.#socket.on("error", reject);
      client.#socket.on("message", (data) => {
        const packet = data.toString();
        if (packet === "2") client.#socket.send("3");
        else if (packet.startsWith("0")) client.#socket.send(`40${JSON.stringify({ userId, name: userId })}`);
        else if (packet.startsWith("40")) resolve();
        else if (packet.startsWith("43")) client.#answer(packet);
      });
    });
    return client;
  }

  #answer(packet) {
    const start = packet.indexOf("[");
    const id = packet.slice(2, start);
    const resolve = this.#answers.get(id);
    this.#answers.delete(id);
    resolve(packet.slice(start));
  }

  /** Emits an event; the answer's data. */
  async ask(event, payload) {
    const id = String((this.#last += 1));
    const answer = new Promise((resolve) => this.#answers.set(id, resolve));
    this.#socket.send(`42${id}${JSON.stringify([event, payload])}`);
    const [reply] = JSON.parse(await answer);
    if (!reply.success) throw new Error(`${event}: ${JSON.stringify(reply)}`);
    return reply.data;
  }

  close() {
    this.#socket.close();
  }
}

function percentile(times, share) {
  const sorted = [...times].sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? 0;
}

/** CPU time of the server's process, in microseconds. */
function cpuTime() {
  const fields = readFileSync(`/proc/${server.pid}/stat`, "utf8").replace(/^.*\) /, "").split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

const folder = mkdtempSync(join(tmpdir(), "sockeye-search-"));
const settings = ["limits.events-per-second=0", "limits.sockets-per-address=0", "limits.rooms-per-user=0", ...values.set];
const server = spawn(
  binary,
  ["serve", "--listen", "127.0.0.1:0", "--data", folder, ...settings.flatMap((setting) => ["--set", setting])],
  { stdio: ["ignore", "pipe", "inherit"] },
);

try {
  const [line] = await new Promise((resolve) => createInterface(server.stdout).once("line", (line) => resolve([line])));
  const url = /http:\/\/\S+/.exec(line)[0];
  const senders = await Promise.all(Array.from({ length: SENDERS }, (_, n) => Client.connect(url, `user-${n}`)));
  let sent = 0;
  const samples = [];
  const send = async (client) => {
    sent += 1;
    const message = { room: `room-${Math.floor(random() * ROOMS)}`, text: text() };
    if (random() < 0.01) samples.push(message);
    await client.ask("send-message", message);
  };

  const [fillStart, fillCpu] = [performance.now(), cpuTime()];
  const fill = async (client) => {
    while (sent < total) await send(client);
  };
  await Promise.all(senders.flatMap((client) => Array.from({ length: IN_FLIGHT }, () => fill(client))));
  const filled = (performance.now() - fillStart) / 1_000;
  const perMessage = (cpuTime() - fillCpu) / sent;
  const size = statSync(join(folder, "sockeye.db")).size / 1e6;
  console.log(`${sent} messages saved in ${filled.toFixed(0)} s: ${perMessage.toFixed(1)} µs of CPU each, ${size.toFixed(0)} MB`);

  const reader = await Client.connect(url, "reader");
  const some = () => pick(samples);
  const rarest = (message) => message.text.split(" ").reduce((a, b) => (words.indexOf(a) > words.indexOf(b) ? a : b));
  const QUERIES = {
    "a word of a message": () => ({ text: pick(some().text.split(" ")) }),
    "its rarest word": () => ({ text: rarest(some()) }),
    "two words of a message": () => {
      const parts = some().text.split(" ");
      return { text: `${pick(parts)} ${pick(parts)}` };
    },
    "one of the 20 most frequent words": () => ({ text: words[Math.floor(random() * 20)] }),
    "the first four letters of a word": () => ({ text: pick(words).slice(0, 4) }),
    "the first three letters of a word": () => ({ text: pick(words).slice(0, 3) }),
    "a word, in its room": () => {
      const message = some();
      return { text: pick(message.text.split(" ")), room: message.room };
    },
    "a word, by an author": () => ({ text: pick(some().text.split(" ")), from: `user-${Math.floor(random() * SENDERS)}` }),
    "no such word": () => ({ text: "xyzzyx" }),
  };

  let isDone = false;
  let saved = 0;
  const [start, before] = [performance.now(), sent];
  const saving = (async () => {
    const pending = new Set();
    while (!isDone) {
      const due = ((performance.now() - start) / 1_000) * Number(values.rate) - (sent - before);
      for (let n = 0; n < due; n += 1) {
        const one = send(senders[sent % SENDERS]).then(() => {
          saved += 1;
          pending.delete(one);
        });
        pending.add(one);
      }
      await new Promise((resolve) => setTimeout(resolve, TICK));
    }
    await Promise.all(pending);
  })();

  const times = Object.fromEntries(Object.keys(QUERIES).map((name) => [name, []]));
  const found = Object.fromEntries(Object.keys(QUERIES).map((name) => [name, 0]));
  const searchStart = performance.now();
  while (performance.now() - searchStart < Number(values.seconds) * 1_000) {
    for (const [name, query] of Object.entries(QUERIES)) {
      const asked = performance.now();
      const { messages } = await reader.ask("search-messages", query());
      times[name].push(performance.now() - asked);
      found[name] += messages.length;
    }
  }
  const took = (performance.now() - start) / 1_000;
  isDone = true;
  await saving;

  console.log(`\n${cpus()[0].model}, ${cpus().length} cores; ${(saved / took).toFixed(0)} messages/s saved meanwhile\n`);
  console.log("| search | searches | p50 ms | p95 ms | p99 ms | longest | found |");
  console.log("|---|---:|---:|---:|---:|---:|---:|");
  const row = (name, list, count) => {
    const cells = [0.5, 0.95, 0.99, 1].map((share) => percentile(list, share).toFixed(1));
    console.log(`| ${name} | ${list.length} | ${cells.join(" | ")} | ${(count / list.length).toFixed(0)} |`);
  };
  for (const [name, list] of Object.entries(times)) row(name, list, found[name]);
  row("all", Object.values(times).flat(), Object.values(found).reduce((sum, count) => sum + count, 0));
  for (const client of [...senders, reader]) client.close();
} finally {
  server.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
}
