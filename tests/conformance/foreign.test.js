// Unmodified clients of other languages, whose handlers take exactly the arguments that were emitted: with them,
// sockeye must behave like Node's server. The clients are in `../foreign`.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

import { conformance, Inbox, inTime, PATIENT } from "./harness.js";
import { connect } from "./session.js";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const PYTHON = path("../foreign/python/.venv/bin/python");
const PYTHON_CLIENT = path("../foreign/python/client.py");
const RUST_CLIENT = path("../../target/debug/sockeye-rust-client");
for (const file of [PYTHON, RUST_CLIENT]) assert.ok(existsSync(file), `${file} is missing: \`make foreign-clients\` makes it`);

/** Bytes, as the clients print them. */
const BYTES = { bytes: "00041eff" };
/** The same bytes, as a JavaScript client sends them. */
const BUFFER = Buffer.from(BYTES.bytes, "hex");

class Client {
  #child;
  #heard = new Inbox();
  #stderr = "";

  constructor(server, [command, ...args], transports) {
    const url = `http://127.0.0.1:${server.port}`;
    const extra = args.slice(1);
    this.#child = spawn(command, [...args.slice(0, 1), url, transports, ...extra].filter(Boolean), { stdio: "pipe" });
    this.#child.stderr.setEncoding("utf8").on("data", (text) => (this.#stderr += text));
    this.#child.on("error", (error) => (this.#stderr += error));
    createInterface({ input: this.#child.stdout }).on("line", (line) => this.#heard.add(JSON.parse(line)));
    server.connections.add({ destroy: () => this.#child.kill("SIGKILL") });
  }

  emit(event, ...args) {
    this.#child.stdin.write(`${JSON.stringify({ emit: event, args })}\n`);
  }

  /** The next line that the client prints is this. */
  async receives(event, ...args) {
    const heard = await this.#heard.next(() => `${event} at a client (${this.#stderr})`);
    assert.deepEqual(heard, { event, args }, this.#stderr);
  }

  /**
   * The next lines that the client prints are these numbers, in any order: python-socketio runs handlers in threads.
   */
  async receivesTicks(count) {
    const heard = [];
    while (heard.length < count) heard.push(await this.#heard.next("a tick at a client"));
    const numbers = heard.map(({ event, args }) => (assert.equal(event, "tick"), assert.equal(args.length, 1), args[0]));
    assert.deepEqual(numbers.sort((one, other) => one - other), [...heard.keys()]);
  }

  /**
   * Ends the client, which must not have printed an error before; some print one about their own last poll after that.
   */
  async ends() {
    assert.equal(this.#stderr, "");
    const ended = new Promise((resolve) => this.#child.once("close", resolve));
    this.#child.stdin.end();
    await inTime(ended, "the end of a client");
  }
}

const PYTHONS = ["sync", "asyncio"].flatMap((kind) =>
  ["websocket", "polling", "polling,websocket"].map((transports) => ({
    name: `python-socketio (${kind}) over ${transports}`,
    make: (server) => new Client(server, [PYTHON, PYTHON_CLIENT, kind], transports),
  })),
);
const RUSTS = ["websocket", "polling", "any"].map((transports) => ({
  name: `rust_socketio over ${transports}`,
  // Over WebSocket this version cannot read binary from any server.
  readsBinary: transports === "polling",
  make: (server) => new Client(server, [RUST_CLIENT], transports),
}));

/** Broadcasts this event with this data to all other clients. */
async function speaker(server) {
  const socket = await connect(server);
  return (event, data) => socket.ask("say", { rooms: [], except: [socket.id], event, data });
}

conformance("clients of other languages", { ...PATIENT, asksRecovery: false }, (server) => {
  for (const { name, make } of PYTHONS) {
    test(`${name}: handlers get exactly the arguments that were emitted`, async () => {
      const client = make(server);
      await client.receives("connect");
      await client.receives("welcome", {});
      const say = await speaker(server);
      await say("one", "text");
      await client.receives("one", "text");
      await say("one", { nested: [1, null, "ä"] });
      await client.receives("one", { nested: [1, null, "ä"] });
      await say("one", BUFFER);
      await client.receives("one", BYTES);
      await say("one", { deep: [BUFFER, { more: BUFFER }] });
      await client.receives("one", { deep: [BYTES, { more: BYTES }] });
      for (const args of [[], [1], ["1", 2, [3]], [BYTES], [BYTES, "text", { more: BYTES }]]) {
        client.emit("emit-back", ...args);
        await client.receives("back", ...args);
      }
      client.emit("burst", 10);
      await client.receivesTicks(10);
      await client.ends();
    });
  }

  for (const { name, make, readsBinary } of RUSTS) {
    test(`${name}: handlers get exactly the arguments that were emitted`, async () => {
      const client = make(server);
      await client.receives("connect");
      await client.receives("welcome", {});
      const say = await speaker(server);
      await say("one", "text");
      await client.receives("one", "text");
      await say("one", { nested: [1, null, "ä"] });
      await client.receives("one", { nested: [1, null, "ä"] });
      if (readsBinary) {
        await say("one", BUFFER);
        await client.receives("one", BYTES);
      }
      for (const args of [[1], ["1", 2, [3]], ...(readsBinary ? [[BYTES]] : [])]) {
        client.emit("emit-back", ...args);
        await client.receives("back", ...args);
      }
      client.emit("burst", 10);
      await client.receivesTicks(10);
      await client.ends();
    });
  }
});
