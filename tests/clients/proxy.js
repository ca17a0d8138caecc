// A TCP proxy that simulates network failures at a chosen moment and byte.

import net from "node:net";
import { setTimeout as pause } from "node:timers/promises";

import { inTime } from "./harness.js";

/** A proxy for the server at `port`; it ends with the test `t`. `shape` is called with each new connection. */
export async function proxy(t, port, shape = () => {}) {
  const through = new TcpProxy(port, shape);
  t.after(() => through.close());
  await through.listen();
  return through;
}

/** The places at which a test cuts connections: three of them, or all if SOAK_CUTS=all, as `make soak` sets it. */
export function cuts(places) {
  if (process.env.SOAK_CUTS === "all") return places;
  return [places[0], places[Math.floor(places.length / 2)], places.at(-1)];
}

class TcpProxy {
  /** All connections, including ended ones. */
  connections = [];
  /** Whether new connections are reset at once, as if the server were unreachable. */
  refusing = false;
  #port;
  #server;
  #waiting = [];

  constructor(port, shape) {
    this.#port = port;
    /** Configures a connection. Called when the client's first bytes have arrived, before any is forwarded. */
    this.shape = shape;
    // A FIN of one end must not end the other end automatically: a `Flow` forwards it, or does not.
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

  /** The connections that have not ended. */
  get open() {
    return this.connections.filter(({ ended }) => !ended);
  }

  /** The next connection whose first bytes have arrived and that satisfies `matches`. */
  next(matches = () => true) {
    const connection = new Promise((resolve) => this.#waiting.push({ matches, resolve }));
    return inTime(connection, "a connection through the proxy");
  }

  /** Ends every open connection, with a RST or a FIN to both sides. */
  cut(how) {
    for (const connection of this.open) connection.cut(how);
  }

  /** Stops forwarding on every open connection without closing it. */
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
    /** Fulfilled when both sides have ended. */
    this.closed = Promise.all([closed(client), closed(server)]).then(() => (this.ended = true));
    const first = (data) => {
      if (this.head !== "") return;
      this.head = data.toString("latin1");
      begun(this);
    };
    /** The flows from the client to the server, and back. */
    this.up = new Flow(client, server, this, first);
    this.down = new Flow(server, client, this);
  }

  /** Whether this connection is a WebSocket upgrade, not a polling request. */
  get isWebSocket() {
    return /^upgrade: websocket/im.test(this.head);
  }

  cut(how = "reset") {
    for (const flow of [this.up, this.down]) flow.stop();
    for (const socket of [this.#client, this.#server]) {
      if (how === "reset") reset(socket);
      // Both flows keep reading: unread data would turn the FIN into a RST.
      else socket.end();
    }
  }

  stall() {
    for (const flow of [this.up, this.down]) flow.stall();
  }

  resume() {
    for (const flow of [this.up, this.down]) flow.resume();
  }

  /** Forwards both directions in pieces of `from` to `to` bytes, each after a delay in milliseconds. */
  inPieces(from, to, delay = 0) {
    for (const flow of [this.up, this.down]) {
      flow.pieces = () => from + Math.floor(Math.random() * (to - from + 1));
      flow.delay = delay;
    }
  }
}

/** One direction of a connection. */
class Flow {
  /** The number of bytes forwarded. */
  bytes = 0;
  /** Size of the next piece in bytes. */
  pieces = () => Infinity;
  /** Delay of each piece in milliseconds. */
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

  /** Cuts the connection after this many more bytes. */
  cutAfter(bytes, how) {
    this.#limit = { bytes: this.bytes + bytes, how };
  }

  /**
   * Cuts the connection after a certain text: `find` gets all data so far and returns where the text ends, or
   * undefined.
   */
  cutBehind(find, how) {
    this.#find = { find, how, from: this.bytes };
  }

  /** Forwards nothing, not even an end, and reads no more than the buffers hold. */
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

/** Ends a socket with a RST, unless its FIN is already sent: Node cannot do it then, and would keep the socket. */
function reset(socket) {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
