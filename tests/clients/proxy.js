// A TCP proxy of the tests' own: what networks do to a connection, at a moment and a byte of the test's choice.

import net from "node:net";
import { setTimeout as pause } from "node:timers/promises";

import { inTime } from "./harness.js";

/** A proxy before the server at `port`; it ends with the test `t`. `shape` is called with each new connection. */
export async function proxy(t, port, shape = () => {}) {
  const through = new TcpProxy(port, shape);
  t.after(() => through.close());
  await through.listen();
  return through;
}

class TcpProxy {
  /** All there were, those that have ended too. */
  connections = [];
  /** New connections are reset at once: the server cannot be reached. */
  refusing = false;
  #port;
  #server;
  #waiting = [];

  constructor(port, shape) {
    this.#port = port;
    /** Says what happens to a connection. It is called when the client's first bytes are there and none has passed. */
    this.shape = shape;
    // Neither end's FIN may end the other end: a `Flow` passes it on, or does not.
    this.#server = net.createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#accept(client));
  }

  async listen() {
    const listening = new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(0, "127.0.0.1", resolve);
    });
    await inTime(listening, "the proxy's listener");
    this.url = `http://127.0.0.1:${this.#server.address().port}`;
  }

  /** Those that have not ended. */
  get open() {
    return this.connections.filter(({ ended }) => !ended);
  }

  /** The next connection that brings its first bytes and satisfies `matches`. */
  next(matches = () => true) {
    const connection = new Promise((resolve) => this.#waiting.push({ matches, resolve }));
    return inTime(connection, "a connection through the proxy");
  }

  /** Ends every open connection, with a RST or with a FIN to both sides. */
  cut(how) {
    for (const connection of this.open) connection.cut(how);
  }

  /** Every connection that is open now passes nothing on and stays open. */
  stall() {
    for (const connection of this.open) connection.stall();
  }

  resume() {
    for (const connection of this.open) connection.resume();
  }

  async close() {
    this.refusing = true;
    this.cut();
    await inTime(new Promise((resolve) => this.#server.close(resolve)), "the end of the proxy");
  }

  #accept(client) {
    client.on("error", () => {});
    if (this.refusing) return void client.resetAndDestroy();
    const server = net.connect({ port: this.#port, allowHalfOpen: true, noDelay: true });
    server.on("error", () => {});
    this.connections.push(new Connection(client, server, (connection) => this.#begun(connection)));
  }

  #begun(connection) {
    this.shape(connection);
    const index = this.#waiting.findIndex(({ matches }) => matches(connection));
    if (index !== -1) this.#waiting.splice(index, 1)[0].resolve(connection);
  }
}

class Connection {
  ended = false;
  /** The client's first bytes, as text. */
  head = "";
  #client;
  #server;

  constructor(client, server, begun) {
    this.#client = client;
    this.#server = server;
    const closed = (socket) => new Promise((resolve) => socket.once("close", resolve));
    /** Fulfilled once both sides have ended. */
    this.closed = Promise.all([closed(client), closed(server)]).then(() => (this.ended = true));
    const first = (data) => {
      if (this.head !== "") return;
      this.head = data.toString("latin1");
      begun(this);
    };
    /** From the client to the server, and back. */
    this.up = new Flow(client, server, this, first);
    this.down = new Flow(server, client, this);
  }

  /** Of this connection: a request to become a WebSocket, and no polling request. */
  get isWebSocket() {
    return /^upgrade: websocket/im.test(this.head);
  }

  cut(how = "reset") {
    for (const flow of [this.up, this.down]) flow.stop();
    for (const socket of [this.#client, this.#server]) {
      if (how === "reset") reset(socket);
      // Both flows go on reading: what stays unread would make it a RST after all.
      else socket.end();
    }
  }

  stall() {
    for (const flow of [this.up, this.down]) flow.stall();
  }

  resume() {
    for (const flow of [this.up, this.down]) flow.resume();
  }

  /** Both directions in pieces of `from` to `to` bytes, each after so many milliseconds. */
  inPieces(from, to, delay = 0) {
    for (const flow of [this.up, this.down]) {
      flow.pieces = () => from + Math.floor(Math.random() * (to - from + 1));
      flow.delay = delay;
    }
  }
}

/** One direction of a connection. */
class Flow {
  /** How many have passed. */
  bytes = 0;
  /** Bytes of the next piece. */
  pieces = () => Infinity;
  /** Milliseconds before each piece. */
  delay = 0;
  #from;
  #to;
  #connection;
  #arrived;
  #limit = { bytes: Infinity };
  #find;
  #seen = "";
  #gate;
  #stopped = false;

  constructor(from, to, connection, arrived = () => {}) {
    this.#from = from;
    this.#to = to;
    this.#connection = connection;
    this.#arrived = arrived;
    this.#run();
  }

  /** The connection is cut when so many more bytes have passed. */
  cutAfter(bytes, how) {
    this.#limit = { bytes: this.bytes + bytes, how };
  }

  /** The connection is cut behind a text: `find` gets what has come so far and says where it ends, or undefined. */
  cutBehind(find, how) {
    this.#find = { find, how, from: this.bytes };
  }

  /** Passes nothing on, an end neither, and reads no more than fits into its buffers. */
  stall() {
    if (this.#gate) return;
    let open;
    this.#gate = new Promise((resolve) => (open = resolve));
    this.#gate.open = open;
  }

  resume() {
    this.#gate?.open();
    this.#gate = undefined;
  }

  stop() {
    this.#stopped = true;
    this.resume();
  }

  async #run() {
    try {
      for await (const data of this.#from.iterator({ destroyOnReturn: false })) {
        if (this.#stopped) continue;
        this.#arrived(data);
        this.#search(data);
        await this.#pass(data);
      }
      await this.#gate;
      this.#to.end();
    } catch {
      await this.#gate;
      reset(this.#to);
    }
  }

  #search(data) {
    if (!this.#find) return;
    this.#seen += data.toString("latin1");
    const end = this.#find.find(this.#seen);
    if (end === undefined) return;
    this.#limit = { bytes: this.#find.from + end, how: this.#find.how };
    this.#find = undefined;
  }

  async #pass(data) {
    for (let rest = data; rest.length > 0 && !this.#stopped; ) {
      if (this.delay > 0) await pause(this.delay);
      await this.#gate;
      if (this.#stopped) return;
      const piece = rest.subarray(0, Math.max(0, Math.min(this.pieces(), this.#limit.bytes - this.bytes)));
      await new Promise((resolve) => this.#to.write(piece, resolve));
      this.bytes += piece.length;
      rest = rest.subarray(piece.length);
      if (this.bytes >= this.#limit.bytes) this.#connection.cut(this.#limit.how);
    }
  }
}

/** Ends a socket with a RST, unless its FIN is on the way: then Node cannot, and would keep it for ever. */
function reset(socket) {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
