// Plain WebSocket clients together with Socket.IO clients: envelopes, bare texts, and closing.

import assert from "node:assert/strict";
import { createHmac, randomBytes } from "node:crypto";
import net from "node:net";
import { describe, test } from "node:test";

import { METRICS, ask, done, fence, inTime, once, start } from "./harness.js";
import { Plain } from "./plain.js";

const PATHS = ["/ws", "/"];
const SECRET = "a secret of the tests, longer than 32 bytes";
const JWT = { "auth.mode": "jwt", "auth.secret": SECRET };

/** Signs an HS256 token (RFC 7519). */
function token(claims) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const text = `${part({ alg: "HS256" })}.${part({ exp: Math.floor(Date.now() / 1000) + 3_600, ...claims })}`;
  return `${text}.${createHmac("sha256", SECRET).update(text).digest("base64url")}`;
}

/** A raw connection, for input that no client library sends. */
class Raw {
  bytes = Buffer.alloc(0);

  constructor(t, server) {
    this.socket = net.connect({ port: server.port, noDelay: true });
    t.after(() => this.socket.destroy());
    this.socket.on("error", () => {});
    this.socket.on("data", (data) => (this.bytes = Buffer.concat([this.bytes, data])));
    this.ended = new Promise((resolve) => this.socket.once("close", resolve));
  }

  async until(isTrue, what) {
    const arrived = new Promise((resolve) => {
      const look = () => isTrue() && (this.socket.off("data", look), resolve());
      this.socket.on("data", look);
      look();
    });
    await inTime(arrived, what);
  }

  /** Sends the head of a request. Returns the head of the response. */
  async head(lines) {
    this.socket.write(`${lines.join("\r\n")}\r\n\r\n`);
    await this.until(() => this.bytes.includes("\r\n\r\n"), "an HTTP head");
    const end = this.bytes.indexOf("\r\n\r\n");
    const head = this.bytes.toString("latin1", 0, end);
    this.bytes = this.bytes.subarray(end + 4);
    return head;
  }

  /** Opens a WebSocket whose bytes the test controls. */
  static async open(t, server, path = "/ws") {
    const raw = new Raw(t, server);
    const head = await raw.head(handshake(server, path));
    assert.match(head, /^HTTP\/1\.1 101 /);
    return raw;
  }

  /** A frame from a client (RFC 6455, section 5.2). */
  frame(opcode, payload, { masked = true } = {}) {
    const data = Buffer.from(payload);
    const bit = masked ? 0x80 : 0;
    const length =
      data.length < 126 ? [bit | data.length] : [bit | 126, data.length >> 8, data.length & 0xff];
    const mask = masked ? [0, 0, 0, 0] : [];
    this.socket.write(Buffer.concat([Buffer.from([0x80 | opcode, ...length, ...mask]), data]));
  }

  /** The complete frames received: `[opcode, payload]`. */
  frames() {
    const frames = [];
    for (let at = 0; at + 2 <= this.bytes.length; ) {
      const short = this.bytes[at + 1];
      const head = { 126: 4, 127: 10 }[short] ?? 2;
      if (at + head > this.bytes.length) break;
      const long = { 126: () => this.bytes.readUInt16BE(at + 2), 127: () => Number(this.bytes.readBigUInt64BE(at + 2)) };
      const end = at + head + (long[short]?.() ?? short);
      if (end > this.bytes.length) break;
      frames.push([this.bytes[at] & 0x0f, this.bytes.subarray(at + head, end)]);
      at = end;
    }
    return frames;
  }

  /** `{ code, reason }` of the close frame, which must be the last frame. */
  async closed() {
    const close = () => this.frames().find(([opcode]) => opcode === 8);
    await this.until(close, "a close frame");
    const [, payload] = close();
    assert.equal(this.frames().at(-1)[0], 8, "nothing comes after it");
    return { code: payload.readUInt16BE(0), reason: payload.toString("utf8", 2) };
  }
}

function handshake(server, path, changes = {}) {
  const headers = {
    Host: server.host,
    Upgrade: "websocket",
    Connection: "keep-alive, Upgrade",
    "Sec-WebSocket-Key": "x3JJHMbDL1EzLkh9GBhXDw==",
    "Sec-WebSocket-Version": "13",
    ...changes,
  };
  const lines = Object.entries(headers).filter(([, value]) => value !== undefined);
  return [`GET ${path} HTTP/1.1`, ...lines.map(([name, value]) => `${name}: ${value}`)];
}

describe("the handshake", () => {
  test("selects the first subprotocol offered, at every path", async (t) => {
    const server = await start(t);
    for (const path of PATHS) {
      for (const protocols of [["my-app"], ["token", "abc"]]) {
        const plain = await Plain.connect(server, { path, protocols });
        assert.equal(plain.socket.protocol, protocols[0]);
        assert.equal((await plain.done("Register", { userId: "ada" })).user.id, "ada");
      }
    }
  });

  test("answers the key as RFC 6455 requires, at every path", async (t) => {
    const server = await start(t);
    for (const path of PATHS) {
      const head = await new Raw(t, server).head(handshake(server, path));
      assert.match(head, /^HTTP\/1\.1 101 /);
      assert.match(head, /^sec-websocket-accept: HSmrc0sMlYUkAGmm5OPpG2HaGWk=$/im);
      assert.match(head, /^upgrade: websocket$/im);
      assert.match(head, /^connection: upgrade$/im);
    }
  });

  test("with wrong headers is refused", async (t) => {
    const server = await start(t);
    const answer = (changes) => new Raw(t, server).head(handshake(server, "/ws", changes));
    const version = await answer({ "Sec-WebSocket-Version": "12" });
    assert.match(version, /^HTTP\/1\.1 426 /);
    assert.match(version, /^sec-websocket-version: 13$/im);
    assert.match(await answer({ "Sec-WebSocket-Version": undefined }), /^HTTP\/1\.1 400 /);
    assert.match(await answer({ "Sec-WebSocket-Key": undefined }), /^HTTP\/1\.1 400 /);
    assert.match(await answer({ "Sec-WebSocket-Key": "dG9vIHNob3J0" }), /^HTTP\/1\.1 400 /);
    assert.match(await answer({ Connection: "keep-alive" }), /^HTTP\/1\.1 400 /);
    const post = handshake(server, "/ws");
    post[0] = "POST /ws HTTP/1.1";
    assert.match(await new Raw(t, server).head(post), /^HTTP\/1\.1 400 /);
  });

  test("is refused for an origin that is not allowed, and accepted for an allowed one", async (t) => {
    const server = await start(t);
    for (const path of PATHS) {
      const status = async (origin) => (await new Plain(server, { path, headers: { origin } }).opened()).status;
      assert.equal(await status("https://evil.example"), 403);
      assert.equal(await status("null"), 403);
      assert.equal(await status("http://localhost:5173"), 101);
      assert.equal(await status(server.url), 101);
    }
  });

  test("is optional: other requests get the demo at /, and 426 elsewhere", async (t) => {
    const server = await start(t);
    const demo = await server.request("/", { headers: { origin: "https://evil.example" } });
    assert.equal(demo.status, 200);
    assert.match(demo.headers["content-type"], /^text\/html/);
    const elsewhere = await server.request("/ws");
    assert.equal(elsewhere.status, 426);
    assert.equal(elsewhere.headers.upgrade, "websocket");
    const bare = await start(t, { "server.demo": "false", "ws.paths": "/live" });
    assert.equal((await bare.request("/")).status, 404);
    for (const path of PATHS) assert.equal((await new Plain(bare, { path }).opened()).status, 404);
    await Plain.user(bare, "ada", { path: "/live" });
  });

  test("is refused while the server drains, for any URL", async (t) => {
    const server = await start(t, { "server.drain": "1h" });
    const ada = await Plain.user(server, "ada");
    server.terminate();
    const { reconnectInMs } = await ada.event("server-closing");
    assert.ok(Number.isInteger(reconnectInMs));
    assert.equal((await new Plain(server).opened()).status, 503);
    assert.equal((await new Plain(server, { query: "sid=x" }).opened()).status, 503);
    await ada.done("SendMessage", { text: "last words" });
    ada.socket.close();
    assert.equal((await server.exited()).code, 0);
  });
});

describe("Register", () => {
  test("is answered with the online users, and announced to all other clients", async (t) => {
    const server = await start(t);
    const bob = await server.user("bob");
    const ada = await Plain.user(server, "ada");
    const online = (id) => ({ id, name: id, online: true });
    assert.deepEqual(ada.welcome, { user: { id: "ada", name: "ada" }, users: [online("ada"), online("bob")], userCount: 2 });
    await once(bob, "presence-changed", ({ joined }) => joined.some(({ id }) => id === "ada"));
    assert.deepEqual((await ada.event("session")).user, { id: "ada", name: "ada" });
    const cy = await Plain.user(server, "cy");
    assert.equal(cy.welcome.userCount, 3);
    await ada.event("presence-changed", ({ joined }) => joined.some(({ id }) => id === "cy"));
    cy.socket.close();
    await ada.event("presence-changed", ({ left }) => left.some(({ id }) => id === "cy"));
  });

  test("without credentials makes a guest", async (t) => {
    const server = await start(t);
    for (const requestData of [undefined, null, {}]) {
      const guest = await Plain.connect(server);
      const { user, users, userCount } = await guest.done("Register", requestData);
      assert.match(user.id, /^guest-/);
      assert.deepEqual([users, userCount], [[], 0], "guests are not announced");
    }
  });

  test("falls back to URL and header for fields missing in the frame", async (t) => {
    const server = await start(t, JWT);
    const who = async (options, requestData) => (await (await Plain.connect(server, options)).done("Register", requestData)).user.id;
    assert.equal(await who({}, { token: token({ sub: "u-1" }) }), "u-1");
    assert.equal(await who({ query: `token=${token({ sub: "u-2" })}` }), "u-2");
    assert.equal(await who({ headers: { authorization: `Bearer ${token({ sub: "u-3" })}` } }), "u-3");
    assert.equal(await who({ query: `token=${token({ sub: "u-2" })}` }, { token: token({ sub: "u-4" }) }), "u-4");
  });

  test("that is refused is answered with the reason, and may be repeated", async (t) => {
    const server = await start(t, JWT);
    const ada = await Plain.connect(server);
    assert.equal(await ada.refused("Register", { token: "nonsense" }), "unauthorized");
    assert.equal(await ada.refused("Register", "nonsense"), "bad-payload");
    assert.equal(await ada.refused("Register", { token: token({ sub: "u-1", exp: 1 }) }), "token-expired");
    assert.equal(await ada.refused("SendMessage", { text: "hello" }), "unauthorized");
    assert.equal((await ada.done("Register", { token: token({ sub: "u-1" }) })).user.id, "u-1");
    await ada.done("SendMessage", { text: "hello" });
  });

  test("twice is a conflict", async (t) => {
    const server = await start(t);
    const ada = await Plain.user(server, "ada");
    assert.equal(await ada.refused("Register", { userId: "eve" }), "conflict");
    assert.equal((await ada.done("SendMessage", { text: "still me" })).from.id, "ada");
  });

  test("after events starts a new session once they are answered", async (t) => {
    const server = await start(t);
    const ada = await Plain.connect(server);
    const early = Array.from({ length: 20 }, (_, n) => ada.request("SendMessage", { n }));
    const registered = ada.request("Register", { userId: "ada" });
    const late = ada.request("SendMessage", { n: 20 });
    const senders = [];
    for (const id of early) senders.push((await ada.reply(id)).data.from.id);
    assert.match(senders[0], /^guest-/);
    assert.equal(new Set(senders).size, 1, "one guest");
    assert.equal((await ada.reply(registered)).data.user.id, "ada");
    assert.equal((await ada.reply(late)).data.from.id, "ada");
    const first = await ada.event("session");
    const second = await ada.event("session");
    assert.equal(first.user.id, senders[0]);
    assert.equal(second.user.id, "ada");
    await server.logged({ message: "disconnected", socket: first.socketId });
  });

  test("is completed before events sent right after it", async (t) => {
    const server = await start(t);
    const ada = await Plain.connect(server);
    const ids = [ada.request("Register", { userId: "ada" })];
    for (let n = 0; n < 100; n += 1) ids.push(ada.request("SendMessage", { n }));
    await ada.reply(ids.at(-1));
    const order = ada.inbox.items.filter((item) => item.eventType === "Reply").map(({ requestId }) => requestId);
    assert.deepEqual(order, ids.slice(0, -1), "every answer, in the order of the events");
  });
});

describe("an envelope", () => {
  test("works for every event, in kebab-case and PascalCase", async (t) => {
    const server = await start(t, { "relay.wave.to": "others", "relay.DrawLine.to": "everyone" });
    const bob = await server.user("bob");
    const ada = await Plain.user(server, "ada");
    const first = await ada.done("SendMessage", { room: "den", text: "one" });
    const second = await ada.done("send-message", { room: "den", text: "two" });
    const joined = await ada.done("JoinRoom", { room: "den" });
    assert.deepEqual(joined.messages, [first, second]);
    assert.deepEqual((await ada.done("load-messages", { room: "den" })).messages, [first, second]);
    await ada.done("EditMessage", { id: first.id, text: "uno" });
    assert.equal((await ada.event("message-edited")).message.body.text, "uno");
    assert.equal((await ada.done("ListUsers")).userCount, 2);
    assert.deepEqual((await ada.done("list-rooms", {})).rooms.map(({ room }) => room), ["den"]);
    assert.equal(await ada.done("Wave", { n: 1 }), null);
    assert.deepEqual(await once(bob, "wave"), { n: 1 });
    assert.equal(await ada.done("DrawLine", [1, 2]), null, "a name that the namespace knows stays as it is");
    assert.deepEqual(await once(bob, "DrawLine"), [1, 2]);
    await done(bob, "send-message", { to: "ada", text: "psst" });
    const { message } = await ada.event("message-saved", ({ message }) => message.body.text === "psst");
    assert.equal(message.room, "dm:bob");
  });

  test("is answered once, with its name and id unchanged", async (t) => {
    const server = await start(t);
    const ada = await Plain.user(server, "ada");
    const answer = async (envelope) => {
      ada.send(JSON.stringify({ eventType: "ClientEvent", ...envelope }));
      return ada.inbox.take((item) => item.eventType === "Reply", "a reply");
    };
    for (const requestId of [0, -1.5, "x", "", true, null, "☃ \"quoted\""]) {
      const reply = await answer({ event: "ListRooms", requestId });
      assert.deepEqual(reply, { eventType: "Reply", event: "ListRooms", requestId, success: true, data: { rooms: [] } });
    }
    assert.deepEqual(await answer({ event: "ListRooms" }), {
      eventType: "Reply",
      event: "ListRooms",
      success: true,
      data: { rooms: [] },
    });
    const { success, error } = await answer({ event: "LoadMessages", requestData: { room: "" } });
    assert.deepEqual([success, error.code], [false, "bad-payload"]);
    assert.deepEqual(Object.keys(error).sort(), ["code", "message"]);
  });

  test("that is invalid, or has an invalid name, is answered with an error", async (t) => {
    const server = await start(t);
    const bob = await server.user("bob");
    const ada = await Plain.user(server, "ada");
    const wrong = [
      "hello",
      "",
      "{",
      "[]",
      "null",
      '{"eventType":"ClientEvent"}',
      '{"eventType":"ClientEvent","event":7}',
      '{"eventType":"ClientEvent","event":null}',
      '{"eventType":"ServerEvent","event":"message"}',
      '{"event":"SendMessage","requestData":{}}',
      '{"eventType":"ClientEvent","event":"ListRooms","requestId":{}}',
      `{"eventType":"ClientEvent","event":"${"x".repeat(300)}"}`,
      '{"eventType":"Reply","requestId":"x"}',
    ];
    for (const text of wrong) {
      ada.send(text);
      const reply = await ada.inbox.take((item) => item.eventType === "Reply", text);
      assert.deepEqual([reply.event, reply.success, reply.error.code], [null, false, "bad-payload"], text);
    }
    for (const event of ["connect", "disconnect", "newListener", "connect_error", "", "Nonsense", "constructor", "\ud800"]) {
      assert.equal(await ada.refused(event, {}), "unknown-event", event);
    }
    ada.send('{"eventType":"Reply","requestId":1,"data":"nobody asked"}');
    await ada.done("SendMessage", { text: "still here" });
    await done(bob, "send-message", { text: "me too" });
  });

  test("before Register is from a guest, or from the user in the URL", async (t) => {
    const server = await start(t);
    const guest = await Plain.connect(server);
    assert.match((await guest.done("SendMessage", { text: "hello" })).from.id, /^guest-/);
    const ada = await Plain.connect(server, { query: "userId=ada&name=Ada" });
    assert.deepEqual((await ada.done("SendMessage", { text: "hello" })).from, { id: "ada", name: "Ada" });
  });

  test("before Register is refused each time if a token is required", async (t) => {
    const server = await start(t, JWT);
    const ada = await Plain.connect(server);
    const early = [ada.request("SendMessage", { n: 1 }), ada.request("ListRooms"), ada.request("Nonsense")];
    const registered = ada.request("Register", { token: token({ sub: "u-1" }) });
    const late = ada.request("SendMessage", { n: 2 });
    for (const id of early) assert.equal((await ada.reply(id)).error.code, "unauthorized");
    assert.equal((await ada.reply(registered)).data.user.id, "u-1");
    assert.equal((await ada.reply(late)).data.from.id, "u-1");
  });

  test("carries the arguments of Socket.IO events: no argument, several, and binary as base64", async (t) => {
    const server = await start(t);
    const bob = await server.user("bob");
    const ada = await Plain.user(server, "ada");
    const heard = async (...args) => {
      bob.emit("message", ...args);
      return ada.event("message");
    };
    assert.equal(await heard(), null);
    assert.equal(await heard("☃"), "☃");
    assert.equal(await heard(null), null);
    assert.deepEqual(await heard("a", { b: [1] }), ["a", { b: [1] }]);
    assert.deepEqual(await heard({ deep: Buffer.from("second") }, Buffer.from([0, 255])), [
      { deep: Buffer.from("second").toString("base64") },
      Buffer.from([0, 255]).toString("base64"),
    ]);
    assert.equal(await ada.done("Message"), null);
    assert.deepEqual(await once(bob, "message", (value) => value === undefined), undefined);
    assert.equal(await ada.done("message", null), null);
    assert.equal(await once(bob, "message", (value) => value === null), null);
  });

  test("keeps JSON text unchanged", async (t) => {
    const server = await start(t);
    const ada = await Plain.user(server, "ada");
    const raw = await Raw.open(t, server);
    raw.frame(1, '{"event":"Heartbeat"}');
    raw.frame(1, '{"eventType":"ClientEvent","event":"Register"}');
    await raw.until(() => raw.frames().length > 2, "the answer to Register");
    ada.send('{"eventType":"ClientEvent","event":"message","requestData":{"n":1.00,"big":12345678901234567890, "k\\u0065y":"é"}}');
    const pushed = () => raw.frames().map(([, text]) => text.toString()).find((text) => text.includes('"event":"message"'));
    await raw.until(pushed, "the message");
    assert.equal(pushed(), '{"eventType":"ServerEvent","event":"message","data":{"n":1.00,"big":12345678901234567890, "k\\u0065y":"é"}}');
  });
});

describe("Unregister", () => {
  test("is answered after earlier events, and is followed by no event", async (t) => {
    const server = await start(t, { "limits.events-per-second": 0 });
    const bob = await server.user("bob");
    const ada = await Plain.user(server, "ada");
    let isOver = false;
    const flood = (async () => {
      for (let n = 0; !isOver; n += 1) await ask(bob, "message", n);
    })();
    await ada.event("message");
    const ids = Array.from({ length: 50 }, (_, n) => ada.request("SendMessage", { n }));
    const last = ada.request("Unregister");
    for (let n = 0; n < 10; n += 1) ada.request("SendMessage", { late: n });
    assert.deepEqual(await ada.closed(), { code: 1000, reason: "unregistered" });
    isOver = true;
    await flood;
    const replies = ada.inbox.items.filter((item) => item.eventType === "Reply").map(({ requestId }) => requestId);
    assert.deepEqual(replies, [...ids, last]);
    assert.deepEqual(ada.inbox.items.at(-1), { eventType: "Reply", event: "Unregister", requestId: last, success: true, data: null });
    const { messages } = await done(bob, "load-messages", { room: "lobby", limit: 200 });
    assert.equal(messages.length, 50, "what came after it does not count");
    await once(bob, "presence-changed", ({ left }) => left.some(({ id }) => id === "ada"));
  });

  test("before Register is answered as well", async (t) => {
    const server = await start(t);
    const nobody = await Plain.connect(server);
    await nobody.done("Unregister");
    assert.equal((await nobody.closed()).code, 1000);
  });
});

describe("a bare text", () => {
  test("is the event message, and a message with a string is a bare text", async (t) => {
    const server = await start(t);
    const bob = await server.user("bob");
    const [one, other] = [await Plain.connect(server, { path: "/" }), await Plain.connect(server)];
    one.send("hello");
    assert.equal(await one.text(), "hello", "relays include the sender, as configured");
    assert.equal(await once(bob, "message"), "hello");
    other.send("☃ \"quoted\"\n{");
    assert.equal(await one.text(), '☃ "quoted"\n{');
    assert.equal(await once(bob, "message"), '☃ "quoted"\n{');
    assert.equal(await other.text(), '☃ "quoted"\n{');
    for (const args of [[1], [null], [{ text: "x" }], ["a", "b"], [], [Buffer.from("x")]]) bob.emit("message", ...args);
    await done(bob, "send-message", { text: "saved" });
    bob.emit("message", "fence");
    assert.equal(await one.text(), "fence", "nothing else was pushed");
    assert.deepEqual(one.inbox.items, []);
  });

  test("that fails is ignored without an answer", async (t) => {
    const server = await start(t, { "limits.events-per-second": 5 });
    const one = await Plain.connect(server);
    for (let n = 0; n < 50; n += 1) one.send(`${n}`);
    await one.fence();
    const bob = await server.user("bob");
    assert.equal(await one.text(), "0");
    bob.emit("message", "fence");
    await one.text("fence");
    assert.ok(one.inbox.items.length < 20, "most were too many");
    assert.ok(one.inbox.items.every((text) => /^\d+$/.test(text)), "and no error was sent");
  });

  test("closes the connection with the error code if a token is required", async (t) => {
    const server = await start(t, JWT);
    const one = await Plain.connect(server);
    one.send("hello");
    assert.deepEqual(await one.closed(), { code: 1008, reason: "unauthorized" });
    const ada = await Plain.connect(server, { query: `token=${token({ sub: "u-1" })}` });
    ada.send("hello");
    assert.equal(await ada.text(), "hello");
  });

  test("is no longer sent to a client that has sent an envelope", async (t) => {
    const server = await start(t);
    const one = await Plain.connect(server, { query: "userId=ada" });
    one.send("hello");
    assert.equal(await one.text(), "hello");
    one.send('{"event":"Heartbeat"}');
    assert.deepEqual(await one.inbox.take((item) => item.event === "Heartbeat", "a reply"), {
      eventType: "Reply",
      event: "Heartbeat",
      success: true,
      data: null,
    });
    one.send("hello");
    assert.equal((await one.inbox.take((item) => item.eventType === "Reply", "a reply")).error.code, "bad-payload");
    await one.done("message", "in an envelope");
    assert.equal(await one.event("message"), "in an envelope");
  });

  test("can be saved, and saved messages arrive as bare texts", async (t) => {
    const server = await start(t, { "ws.text-event": "send-message" });
    const bob = await server.user("bob");
    const [one, other] = [await Plain.connect(server), await Plain.connect(server)];
    other.send("first");
    assert.equal(await other.text(), "first");
    one.send("second");
    assert.equal(await one.text(), "second");
    assert.equal(await other.text(), "second");
    await once(bob, "message-saved", ({ message }) => message.body.value === "first");
    await done(bob, "send-message", "third");
    await done(bob, "send-message", { text: "fourth", n: 1.0 });
    bob.emit("message", "fifth");
    for (const text of ["third", '{"text":"fourth","n":1}', "fifth"]) assert.equal(await one.text(), text);
    const { messages } = await done(bob, "load-messages", { room: "lobby" });
    assert.deepEqual(messages.map(({ body }) => body), [{ value: "first" }, { value: "second" }, { value: "third" }, { text: "fourth", n: 1 }]);
  });

  test("can be mapped to another relay, whose events arrive as bare texts", async (t) => {
    const server = await start(t, { "ws.text-event": "chat", "relay.chat.to": "others" });
    const bob = await server.user("bob");
    const [one, other] = [await Plain.connect(server, { query: "userId=a" }), await Plain.connect(server, { query: "userId=b" })];
    other.send("I am here");
    assert.equal(await once(bob, "chat"), "I am here", "who is let in by it hears what comes after");
    one.send("hello");
    assert.equal(await other.text(), "hello");
  });
});

describe("a client with ws.open-at-once", () => {
  const AT_ONCE = { "ws.open-at-once": "true" };

  test("receives events before it sends a frame, and may still register", async (t) => {
    const server = await start(t, { ...AT_ONCE, ...METRICS });
    const one = await Plain.connect(server);
    await server.reaches("sockeye_connections", 1);
    const bob = await server.user("bob");
    bob.emit("message", "hello");
    assert.equal(await one.text(), "hello");
    assert.equal((await one.done("Register", { userId: "ada" })).user.id, "ada");
    await server.reaches("sockeye_connections", 2);
  });

  test("may still register by its first frame if that was impossible", async (t) => {
    const server = await start(t, { ...AT_ONCE, ...JWT });
    const ada = await Plain.connect(server);
    assert.equal((await ada.done("Register", { token: token({ sub: "u-1" }) })).user.id, "u-1");
    const nobody = await Plain.connect(server);
    nobody.send("hello");
    assert.deepEqual(await nobody.closed(), { code: 1008, reason: "unauthorized" });
  });
});

// These wait for the same timeouts, so they run concurrently.
describe("a heartbeat", { concurrency: true }, () => {
  const FAST = { "ws.ping-interval": "1s", "ws.idle-timeout": "4s" };

  test("keeps clients that answer, and closes silent ones", async (t) => {
    const server = await start(t, FAST);
    const ada = await Plain.user(server, "ada");
    const silent = await Plain.user(server, "eve", { autoPong: false });
    let pings = 0;
    silent.socket.on("ping", () => (pings += 1));
    assert.deepEqual(await silent.closed(), { code: 4008, reason: "idle" });
    assert.ok(pings >= 2 && pings <= 4, `${pings} pings in 4 s`);
    const line = await server.logged({ message: "disconnected", user: "eve" });
    assert.equal(line.reason, "ping timeout");
    await ada.done("ListRooms");
  });

  test("can be a message from the client, with or without an event type", async (t) => {
    const server = await start(t, FAST);
    const ada = await Plain.user(server, "ada", { autoPong: false });
    // Opened later: when its timeout is over, that of the other one would be too.
    const silent = await Plain.user(server, "eve", { autoPong: false });
    let isOver = false;
    const over = silent.closed().finally(() => (isOver = true));
    while (!isOver) {
      await ada.done("Heartbeat");
      ada.send('{"event":"Heartbeat","requestId":"bare"}');
      assert.equal((await ada.reply("bare")).success, true);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.deepEqual(await over, { code: 4008, reason: "idle" });
    await ada.done("Heartbeat");
    assert.deepEqual((await ada.closed()), { code: 4008, reason: "idle" });
  });

  test("does not replace Register: a client that has not registered in time is closed", async (t) => {
    const server = await start(t, { "server.connect-timeout": "3s" });
    const [mute, beating] = [await Plain.connect(server), await Plain.connect(server)];
    await beating.done("Heartbeat");
    for (const plain of [mute, beating]) assert.deepEqual(await plain.closed(), { code: 1008, reason: "not-registered" });
    const refused = await start(t, { ...JWT, "server.connect-timeout": "3s" });
    const eve = await Plain.connect(refused);
    assert.equal(await eve.refused("Register", {}), "unauthorized");
    assert.deepEqual(await eve.closed(), { code: 1008, reason: "not-registered" });
  });
});

describe("a connection is closed", () => {
  test("with 1001 when the server shuts down", async (t) => {
    const server = await start(t, { "server.drain": "100ms" });
    const ada = await Plain.user(server, "ada");
    const text = await Plain.connect(server);
    server.terminate();
    for (const plain of [ada, text]) assert.deepEqual(await plain.closed(), { code: 1001, reason: "server-closing" });
    assert.equal((await server.exited()).code, 0);
  });

  test("with the code for an invalid frame", async (t) => {
    const server = await start(t, { "limits.payload-bytes": 10_000 });
    const code = async (send) => {
      const raw = await Raw.open(t, server);
      send(raw);
      return (await raw.closed()).code;
    };
    assert.equal(await code((raw) => raw.frame(2, "binary")), 1003);
    assert.equal(await code((raw) => raw.frame(1, [0xff, 0xfe])), 1007);
    assert.equal(await code((raw) => raw.frame(1, "hello", { masked: false })), 1002);
    assert.equal(await code((raw) => raw.frame(3, "reserved")), 1002);
    assert.equal(await code((raw) => raw.frame(1, "x".repeat(10_001))), 1009);
  });

  test("with 1008 when too much is sent before Register", async (t) => {
    const server = await start(t);
    const raw = await Raw.open(t, server);
    const text = Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0x78]);
    raw.socket.write(Buffer.concat(Array.from({ length: 2_000 }, () => text)));
    assert.deepEqual(await raw.closed(), { code: 1008, reason: "too-early" });
  });

  test("when the client closes it, and its session ends at once", async (t) => {
    const server = await start(t);
    const ada = await Plain.user(server, "ada");
    ada.socket.close(4_711, "bye");
    assert.equal((await ada.closed()).code, 4_711);
    assert.equal((await server.logged({ message: "disconnected", user: "ada" })).reason, "transport close");
    const eve = await Plain.user(server, "eve");
    eve.socket.terminate();
    assert.equal((await server.logged({ message: "disconnected", user: "eve" })).reason, "transport close");
  });
});

describe("limits", () => {
  test("on events and payloads apply, with an answer for each, without slowing others", async (t) => {
    const server = await start(t, { "limits.events-in-flight": 0 });
    const bob = await server.user("bob");
    const ada = await Plain.user(server, "ada");
    const ids = Array.from({ length: 10_000 }, (_, n) => ada.request("SendMessage", { n }));
    const replies = await Promise.all(ids.map((id) => ada.reply(id)));
    const saved = replies.filter(({ success }) => success).length;
    const codes = new Set(replies.filter(({ success }) => !success).map(({ error }) => error.code));
    assert.deepEqual([...codes], ["rate-limited"]);
    assert.ok(saved >= 100 && saved < 5_000, `${saved} of 10,000 were saved`);
    await done(bob, "send-message", { text: "still here" });
  });

  test("on events in flight apply", async (t) => {
    const server = await start(t, { "limits.events-in-flight": 3, "limits.events-per-second": 0 });
    const ada = await Plain.user(server, "ada");
    const ids = Array.from({ length: 200 }, (_, n) => ada.request("SendMessage", { n }));
    const replies = await Promise.all(ids.map((id) => ada.reply(id)));
    assert.ok(replies.some(({ error }) => error?.code === "rate-limited"));
    assert.ok(replies.filter(({ success }) => success).length >= 3);
  });

  test("on sockets of a user, of an address and in all apply", async (t) => {
    const register = async (server, userId) => (await Plain.connect(server)).ask("Register", { userId });
    const mine = await start(t, { "limits.sockets-per-user": 2 });
    assert.equal((await register(mine, "ada")).success, true);
    await mine.user("ada");
    assert.equal((await register(mine, "ada")).error.code, "rate-limited");
    assert.equal((await register(mine, "bob")).success, true);
    const near = await start(t, { "limits.sockets-per-address": 1 });
    assert.equal((await register(near, "ada")).success, true);
    assert.equal((await register(near, "bob")).error.code, "rate-limited");
    const full = await start(t, { "limits.connections": 1 });
    assert.equal((await register(full, "ada")).success, true);
    const refused = await Plain.connect(full);
    refused.send("hello");
    assert.deepEqual(await refused.closed(), { code: 1008, reason: "unavailable" });
  });

  test("on connections before Register apply", async (t) => {
    const server = await start(t, { "limits.connections": 1 });
    const waiting = [];
    let status;
    do {
      const plain = new Plain(server);
      waiting.push(plain);
      ({ status } = await plain.opened());
    } while (status === 101 && waiting.length < 200);
    assert.equal(status, 503, `after ${waiting.length}`);
    assert.equal(waiting.length, 102);
  });
});

describe("a client that does not read", () => {
  const SETTINGS = { ...METRICS, "limits.events-per-second": 0, "limits.events-in-flight": 0, "limits.queued-bytes": 200_000 };
  const TEXT = "x".repeat(20_000);
  const DROPS = 'sockeye_disconnects_total{reason="slow-consumer"}';

  /** Emits numbered events to everyone until a client is dropped. Returns how many. */
  async function flood(server, sender) {
    let n = 0;
    for (const began = Date.now(); (await server.metric(DROPS)) < 1 && Date.now() - began < 15_000; ) {
      await ask(sender, "message", `${++n} ${TEXT}`);
    }
    return n;
  }

  for (const mode of ["envelopes", "bare texts"]) {
    test(`gets 1013 when it reads at last, after whole frames without a gap: ${mode}`, async (t) => {
      const server = await start(t, SETTINGS);
      const bob = await server.user("bob");
      const raw = await Raw.open(t, server);
      raw.frame(1, mode === "envelopes" ? '{"eventType":"ClientEvent","event":"Register"}' : "hello");
      await raw.until(() => raw.frames().length > 0, "the first frame");
      raw.socket.pause();
      const count = await flood(server, bob);
      assert.ok((await server.metric("sockeye_queued_bytes")) < 2 * TEXT.length, "all but one frame is freed at once");
      await fence(bob, bob);
      await server.reaches("sockeye_connections", 1);
      raw.socket.resume();
      assert.deepEqual(await raw.closed(), { code: 1013, reason: "slow-consumer" });
      const texts = raw.frames().map(([, payload]) => payload.toString());
      const numbers = texts.map((text) => Number(/(?:^|"data":")(\d+) x/.exec(text)?.[1])).filter((n) => !Number.isNaN(n));
      assert.deepEqual(numbers, numbers.map((_, index) => index + 1));
      assert.ok(numbers.length < count);
      raw.socket.end();
      await server.reaches("sockeye_queued_bytes", 0);
    });
  }

  test("at all is disconnected after a timeout", async (t) => {
    const server = await start(t, SETTINGS);
    const bob = await server.user("bob");
    const raw = await Raw.open(t, server);
    raw.frame(1, "hello");
    await raw.until(() => raw.frames().length > 0, "the first frame");
    raw.socket.pause();
    await flood(server, bob);
    await server.reaches("sockeye_connections", 1);
    await server.reaches("sockeye_queued_bytes", 0);
  });
});

test("10,000 envelopes are echoed in the order they were sent", async (t) => {
  const server = await start(t, { "limits.events-per-second": 0, "limits.events-in-flight": 0 });
  const [ada, bob] = [await Plain.user(server, "ada"), await server.user("bob")];
  const text = randomBytes(20).toString("hex");
  for (let n = 0; n < 10_000; n += 1) ada.request("message", { n, text });
  const heard = [];
  while (heard.length < 10_000) heard.push((await ada.event("message")).n);
  assert.deepEqual(heard, Array.from({ length: 10_000 }, (_, n) => n));
  while (heard.length < 20_000) heard.push((await once(bob, "message")).n);
  assert.deepEqual(heard.slice(10_000), heard.slice(0, 10_000));
});
