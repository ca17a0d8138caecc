// A plain WebSocket client: the `ws` package, and the envelopes by hand.

import assert from "node:assert/strict";

import { WebSocket } from "ws";

import { Inbox, inTime } from "./harness.js";

export class Plain {
  /** What was received and not taken: envelopes as objects, everything else as text. */
  inbox = new Inbox();
  #requests = 0;

  constructor(server, { path = "/ws", query = "", headers = {}, protocols = [], ...options } = {}) {
    this.socket = new WebSocket(`ws://${server.host}${path}${query && `?${query}`}`, protocols, { headers, ...options });
    server.sockets.push({ disconnect: () => this.socket.terminate() });
    this.socket.on("error", () => {});
    this.socket.on("message", (data) => this.inbox.add(parsed(data.toString())));
    this.closing = new Promise((resolve) =>
      this.socket.once("close", (code, reason) => resolve({ code, reason: reason.toString() })),
    );
    this.opening = new Promise((resolve) => {
      this.socket.once("open", () => resolve({ status: 101 }));
      this.socket.once("unexpected-response", (request, { statusCode, headers }) => {
        request.destroy();
        resolve({ status: statusCode, headers });
      });
    });
  }

  /** A client that is connected and has sent nothing. */
  static async connect(server, options) {
    const plain = new Plain(server, options);
    assert.equal((await plain.opened()).status, 101);
    return plain;
  }

  /** A client that is registered as this user. */
  static async user(server, name, options) {
    const plain = await Plain.connect(server, options);
    plain.welcome = await plain.done("Register", { userId: name, name });
    return plain;
  }

  opened() {
    return inTime(this.opening, "an answer to the handshake");
  }

  /** `{ code, reason }` of the close frame. */
  closed(ms) {
    return inTime(this.closing, "the close", ms);
  }

  send(text) {
    this.socket.send(text);
  }

  /** Sends an event with an id. Returns the reply. */
  request(event, requestData) {
    const requestId = ++this.#requests;
    this.send(JSON.stringify({ eventType: "ClientEvent", event, requestData, requestId }));
    return requestId;
  }

  reply(requestId, ms) {
    return this.inbox.take((item) => item.eventType === "Reply" && item.requestId === requestId, `reply ${requestId}`, ms);
  }

  async ask(event, requestData) {
    const reply = await this.reply(this.request(event, requestData));
    assert.equal(reply.event, event);
    return reply;
  }

  /** The `data` of an event that must succeed. */
  async done(event, requestData) {
    const reply = await this.ask(event, requestData);
    assert.equal(reply.success, true, `${event}: ${JSON.stringify(reply.error)}`);
    return reply.data;
  }

  /** The code of an event that must fail. */
  async refused(event, requestData) {
    const { success, error } = await this.ask(event, requestData);
    assert.equal(success, false, `${event} was not refused`);
    assert.equal(typeof error.message, "string");
    return error.code;
  }

  /** The data of the next event with this name. */
  async event(name, matches = () => true, ms) {
    const isIt = (item) => item.eventType === "ServerEvent" && item.event === name && matches(item.data);
    return (await this.inbox.take(isIt, name, ms)).data;
  }

  /** The next bare text. */
  text(expected) {
    const isIt = (item) => typeof item === "string" && (expected === undefined || item === expected);
    return this.inbox.take(isIt, expected ?? "a text");
  }

  /** Sends a WebSocket ping. The pong proves that the server has read everything sent before. */
  async fence() {
    const pong = new Promise((resolve) => this.socket.once("pong", resolve));
    this.socket.ping();
    await inTime(pong, "a pong");
  }

  /** The events of these names that arrived and were not taken; call it after a fence. */
  untaken(...events) {
    return this.inbox.items.filter((item) => events.includes(item.event));
  }
}

function parsed(text) {
  try {
    const value = JSON.parse(text);
    return value?.eventType === undefined ? text : value;
  } catch {
    return text;
  }
}
