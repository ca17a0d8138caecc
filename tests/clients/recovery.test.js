// Connection state recovery with the unmodified official client.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { describe, test } from "node:test";

import {
  GENERATIONS,
  METRICS,
  TRANSPORTS,
  all,
  ask,
  done,
  established,
  fence,
  inTime,
  missHeartbeat,
  once,
  start,
  untaken,
  upgraded,
} from "./harness.js";
import { cuts, proxy } from "./proxy.js";

const RELAYS = { "relay.message.to": "everyone", "relay.draw.to": "room", "relay.draw.field": "room" };
const FREE = { "limits.events-per-second": 0, "limits.events-in-flight": 0 };

const upTo = (n) => Array.from({ length: n }, (_, index) => index + 1);

/** What a client's listeners received: "session", and the number in each event of `tell`. */
function hearing(socket) {
  const heard = [];
  socket.on("session", () => heard.push("session"));
  socket.on("message", (n) => typeof n === "number" && heard.push(n));
  socket.on("message-saved", ({ message }) => heard.push(message.body.n));
  socket.on("draw", ({ n }, picture) => heard.push(Buffer.from(picture)[0] === n % 256 ? n : "another picture"));
  return heard;
}

/** Emits one event per number: saved and unsaved, to the lobby, to everyone and to the room "den", also binary. */
async function tell(socket, first, last) {
  for (let n = first; n <= last; n += 1) {
    if (n % 4 === 0) await done(socket, "send-message", { n });
    if (n % 4 === 1) assert.equal((await ask(socket, "message", n)).success, true);
    if (n % 4 === 2) await done(socket, "send-message", { room: "den", n });
    if (n % 4 === 3) await done(socket, "draw", { room: "den", n }, Buffer.from([n]));
  }
}

/** Emits volatile events until the client receives one: it gets none between two polls. */
async function flash(sender, listener, value) {
  const isIt = (heard) => heard === value;
  for (let [heard, tries] = [undefined, 0]; heard === undefined; tries += 1) {
    assert.ok(tries < 50, "no volatile event arrives");
    await ask(sender, "flash", value);
    heard = await once(listener, "flash", isIt, 200).catch(() => undefined);
  }
}

/** Ada, connected through a proxy, and Bob, who emits; both are in the room "den". */
async function pair(t, { transports, settings, auth = { userId: "ada", name: "ada" }, ...options } = {}) {
  const server = await start(t, { ...RELAYS, ...FREE, ...METRICS, ...settings });
  const through = await proxy(t, server.port);
  const bob = await server.user("bob");
  await done(bob, "join-room", { room: "den" });
  const ada = server.client({ transports, url: through.url, auth, ...options });
  const heard = hearing(ada);
  await established(ada);
  await upgraded(ada);
  await done(ada, "join-room", { room: "den" });
  return { server, through, ada, bob, heard };
}

/** Breaks the connection, and waits until the client has noticed. */
async function drop(socket, through, how) {
  // Between two polls there is no connection to cut; the next one is then refused.
  through.refusing = true;
  through.cut(how);
  await once(socket, "disconnect");
  through.refusing = false;
}

/** Connects again. Returns `socket.recovered`. A new socket receives everything from its `session` on. */
async function back(socket) {
  socket.connect();
  await once(socket, "connect");
  await upgraded(socket);
  if (!socket.recovered) await once(socket, "session", ({ socketId }) => socketId === socket.id);
  return socket.recovered;
}

/** The end of the packet that answers CONNECT, over WebSocket. */
function endOfConnect(text) {
  const begin = text.indexOf('40{"sid"');
  const end = text.indexOf("}", begin);
  return begin === -1 || end === -1 ? undefined : end + 1;
}

for (const transports of TRANSPORTS) {
  describe(`over ${transports.join(" upgraded to ")}`, () => {
    for (const [how, what] of [["reset", "RST"], ["end", "FIN"]]) {
      test(`after a ${what} missed events arrive once, in order, and before new ones`, async (t) => {
        const { through, ada, bob, heard } = await pair(t, { transports });
        const { id } = ada;
        assert.equal(Boolean(ada.recovered), false, "at first there is nothing to recover");
        await tell(bob, 1, 8);
        await fence(bob, ada);
        await drop(ada, through, how);
        await tell(bob, 9, 24);
        assert.equal(await back(ada), true);
        assert.equal(ada.id, id);
        await tell(bob, 25, 32);
        await fence(bob, ada);
        assert.deepEqual(heard, ["session", ...upTo(32)]);
      });
    }

    test("a client that reconnects by itself misses nothing", async (t) => {
      const { server, through, ada, bob, heard } = await pair(t, {
        transports,
        reconnection: true,
        reconnectionDelay: 10,
        reconnectionDelayMax: 20,
      });
      const rounds = cuts([1, 2, 3, 4, 5]).length;
      for (let round = 0; round < rounds; round += 1) {
        await tell(bob, 8 * round + 1, 8 * round + 4);
        await drop(ada, through);
        await tell(bob, 8 * round + 5, 8 * round + 8);
        await once(ada, "connect");
        assert.equal(ada.recovered, true);
      }
      await fence(bob, ada);
      assert.deepEqual(heard, ["session", ...upTo(8 * rounds)]);
      await server.reaches('sockeye_recoveries_total{outcome="recovered"}', rounds);
    });

    test("a socket is recovered repeatedly, with and without missed events", async (t) => {
      const { through, ada, bob, heard } = await pair(t, { transports });
      const { id } = ada;
      for (const n of [1, 2, 2, 2, 5, 6]) {
        await drop(ada, through);
        if (!heard.includes(n)) await tell(bob, heard.length, n);
        assert.equal(await back(ada), true);
        await fence(bob, ada);
        assert.deepEqual(heard, ["session", ...upTo(n)]);
        assert.equal(ada.id, id);
      }
    });

    test("no event is lost or duplicated, wherever the connection is cut", async (t) => {
      const { through, ada, bob, heard } = await pair(t, { transports });
      const places = cuts([0, 1, 2, 17, 60, 150, 270, 290, 320, 400]);
      for (const [round, bytes] of places.entries()) {
        through.shape = ({ down }) => down.cutAfter(bytes);
        for (const { down } of through.open) down.cutAfter(bytes);
        await tell(bob, 8 * round + 1, 8 * round + 8);
        await once(ada, "disconnect");
        through.shape = () => {};
        assert.equal(await back(ada), true, `after ${bytes} bytes`);
      }
      await fence(bob, ada);
      assert.deepEqual(heard, ["session", ...upTo(8 * places.length)]);
    });

    test("rooms and user are restored, for events from the client too", async (t) => {
      const { through, ada, bob } = await pair(t, { transports });
      await drop(ada, through);
      assert.equal(await back(ada), true);
      await done(ada, "draw", { room: "den", n: 1 }, Buffer.from([1]));
      assert.deepEqual((await once(bob, "draw")).n, 1);
      const { from } = await done(ada, "send-message", { room: "den", n: 2 });
      assert.deepEqual(from, { id: "ada", name: "ada" });
      assert.equal((await once(ada, "message-saved")).message.body.n, 2);
    });

    test("a room left before the disconnect is not rejoined", async (t) => {
      const { through, ada, bob, heard } = await pair(t, { transports });
      await done(ada, "leave-room", { room: "den" });
      await drop(ada, through);
      await tell(bob, 1, 4);
      assert.equal(await back(ada), true);
      await tell(bob, 5, 8);
      await fence(bob, ada);
      assert.deepEqual(heard, ["session", 1, 4, 5, 8]);
    });

    test("events that the client buffered while disconnected are sent once", async (t) => {
      const { through, ada, bob } = await pair(t, { transports });
      await drop(ada, through);
      for (const n of [1, 2, 3]) ada.emit("message", n);
      assert.equal(await back(ada), true);
      for (const n of [1, 2, 3]) assert.equal(await once(bob, "message"), n);
      await fence(ada, bob);
      assert.deepEqual(untaken(bob, "message"), []);
    });

    test("an old connection that hangs does not prevent recovery, and has no effect when it resumes", async (t) => {
      const { server, through, ada, bob, heard } = await pair(t, { transports });
      const { id } = ada;
      await tell(bob, 1, 4);
      await fence(bob, ada);
      through.shape = (connection) => connection.stall();
      through.stall();
      missHeartbeat(ada);
      await once(ada, "disconnect");
      await tell(bob, 5, 12);
      const hanging = through.open;
      through.shape = () => {};
      const began = Date.now();
      assert.equal(await back(ada), true);
      assert.ok(Date.now() - began < 5_000, "at once, not when the old one is found to be dead");
      assert.equal(ada.id, id);
      await server.reaches("sockeye_connections", 2);
      assert.equal(await server.metric("sockeye_away"), 0);
      for (const connection of hanging) connection.resume();
      await inTime(Promise.all(hanging.map(({ closed }) => closed)), "the end of the old connections");
      await tell(bob, 13, 20);
      await fence(bob, ada);
      assert.equal(ada.connected, true);
      assert.deepEqual(heard, ["session", ...upTo(20)]);
      assert.equal(await server.metric("sockeye_connections"), 2);
    });

    test("a client without an offset gets every event since its session", async (t) => {
      const { through, ada, bob, heard } = await pair(t, { transports });
      await tell(bob, 1, 4);
      await fence(bob, ada);
      await drop(ada, through);
      delete ada._lastOffset;
      heard.length = 0;
      await tell(bob, 5, 8);
      assert.equal(await back(ada), true);
      await fence(bob, ada);
      assert.deepEqual(heard, ["session", ...upTo(8)]);
    });

    test("a socket that sent DISCONNECT is not recovered", async (t) => {
      const { server, ada, bob, heard } = await pair(t, { transports });
      const { id } = ada;
      ada.disconnect();
      const line = await server.logged({ message: "disconnected", socket: id });
      assert.equal(line.reason, "client namespace disconnect");
      assert.equal(await server.metric("sockeye_away"), 0);
      await tell(bob, 1, 4);
      assert.equal(await back(ada), false);
      assert.notEqual(ada.id, id);
      await tell(bob, 5, 8);
      await fence(bob, ada);
      assert.deepEqual(heard, ["session", "session", 5, 8], "neither what was missed nor the den");
    });

    test("a volatile event whose only argument is a string does not corrupt the offset", async (t) => {
      const settings = { "relay.flash.to": "everyone", "relay.flash.volatile": true };
      const { through, ada, bob, heard } = await pair(t, { transports, settings });
      for (const text of ["1", "", "zzz.99999999", ada._lastOffset]) {
        const n = heard.length;
        await tell(bob, n, n);
        await flash(bob, ada, text);
        await drop(ada, through);
        await tell(bob, n + 1, n + 1);
        assert.equal(await back(ada), true);
        await fence(bob, ada);
        assert.deepEqual(heard, ["session", ...upTo(n + 1)]);
      }
    });

    test("a guest, without credentials, is recovered as the same guest", async (t) => {
      const { through, ada, bob, heard } = await pair(t, { transports, auth: undefined });
      await drop(ada, through);
      await tell(bob, 1, 4);
      assert.equal(await back(ada), true);
      await fence(bob, ada);
      assert.deepEqual(heard, ["session", 1, 2, 3, 4]);
      assert.deepEqual((await done(ada, "send-message", {})).from, ada.session.user);
    });
  });
}

describe("a connection that breaks before the first event", () => {
  test("is recovered from the start of the session", async (t) => {
    const server = await start(t, RELAYS);
    const through = await proxy(t, server.port, ({ down }) => down.cutBehind(endOfConnect, "end"));
    const [ada, bob] = [server.client({ url: through.url, auth: { userId: "ada" } }), await server.user("bob")];
    const heard = hearing(ada);
    ada.connect();
    await once(ada, "connect");
    const { id } = ada;
    await once(ada, "disconnect");
    assert.deepEqual([typeof ada._pid, ada._lastOffset], ["string", undefined], "the client knows its pid and no offset");
    through.shape = () => {};
    // The client receives everything since its session, then it is disconnected.
    await server.logged({ message: "away", socket: id });
    for (const n of [1, 2]) await ask(bob, "message", n);
    assert.equal(await back(ada), true);
    assert.equal(ada.id, id);
    await fence(bob, ada);
    assert.deepEqual(heard, ["session", 1, 2]);
  });

  test("is recovered completely or not at all if the client sends the offset of an earlier socket", async (t) => {
    const { server, through, ada, bob, heard } = await pair(t);
    await tell(bob, 1, 3);
    await fence(bob, ada);
    ada.disconnect();
    await once(ada, "disconnect");
    through.shape = ({ down }) => down.cutBehind(endOfConnect, "end");
    ada.connect();
    await once(ada, "connect");
    const { id } = ada;
    await once(ada, "disconnect");
    assert.equal(typeof ada._lastOffset, "string");
    through.shape = () => {};
    await server.logged({ message: "away", socket: id });
    heard.length = 0;
    await tell(bob, 4, 5);
    const recovered = await back(ada);
    await fence(bob, ada);
    assert.deepEqual(heard, recovered ? ["session", 4, 5] : ["session"]);
    assert.equal(ada.id === id, recovered);
  });
});

describe("offsets", () => {
  for (const generation of GENERATIONS) {
    for (const transports of TRANSPORTS) {
      const with3 = generation === 2 ? "are not sent to" : "are the last argument of every event for";
      test(`${with3} a client ${generation} over ${transports.join(" and ")}`, async (t) => {
        const server = await start(t, { ...RELAYS, "relay.flash.to": "everyone", "relay.flash.volatile": true });
        const socket = server.client({ generation, transports, auth: { userId: "ada" } });
        const events = ["session", "message", "flash", "message-saved"];
        const heard = events.map((event) => new Promise((resolve) => socket.on(event, (...args) => resolve(args))));
        await established(socket);
        await ask(socket, "message", 1);
        await flash(socket, socket, 1);
        await done(socket, "send-message", {});
        for (const args of await inTime(Promise.all(heard), "one of each")) {
          assert.equal(args.length, generation === 2 ? 1 : 2);
          if (generation > 2) assert.match(args[1], /^[\x21-\x7e]{1,64}$/);
        }
        assert.equal(socket._pid === undefined, generation < 4);
      });
    }
  }

  for (const transports of TRANSPORTS) {
    test(`and recovery are off with a window of 0 over ${transports.join(" and ")}`, async (t) => {
      const { through, ada, bob, heard } = await pair(t, { transports, settings: { "recovery.window": "0s" } });
      const { id } = ada;
      assert.equal(ada._pid, undefined);
      const args = new Promise((resolve) => ada.once("message", (...args) => resolve(args)));
      await ask(bob, "message", 1);
      assert.deepEqual(await inTime(args, "a message"), [1]);
      await drop(ada, through);
      await tell(bob, 2, 4);
      assert.equal(Boolean(await back(ada)), false);
      assert.notEqual(ada.id, id);
      await fence(bob, ada);
      assert.deepEqual(heard, ["session", 1, "session"]);
    });
  }
});

describe("the same user", () => {
  const SECRET = "a secret of the tests, longer than 32 bytes";
  const settings = { "auth.mode": "jwt", "auth.secret": SECRET };
  const now = () => Math.floor(Date.now() / 1000);

  function token(claims, key = SECRET) {
    const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const text = `${part({ alg: "HS256", typ: "JWT" })}.${part({ exp: now() + 3_600, rooms: ["den"], ...claims })}`;
    return `${text}.${createHmac("sha256", key).update(text).digest("base64url")}`;
  }

  /** Like `pair`, with tokens. */
  async function pairWithTokens(t, claims) {
    const server = await start(t, { ...RELAYS, ...METRICS, ...settings });
    const through = await proxy(t, server.port);
    const bob = await server.connect({ auth: { token: token({ sub: "bob" }) } });
    const ada = server.client({ url: through.url, auth: { token: token({ sub: "ada", ...claims }) } });
    const heard = hearing(ada);
    await established(ada);
    for (const socket of [ada, bob]) await done(socket, "join-room", { room: "den" });
    return { server, through, ada, bob, heard };
  }

  test("is recovered with a valid token, also with a newer one", async (t) => {
    const { through, ada, bob, heard } = await pairWithTokens(t);
    await drop(ada, through);
    await tell(bob, 1, 4);
    ada.auth = { token: token({ sub: "ada", exp: now() + 7_200 }) };
    assert.equal(await back(ada), true);
    await fence(bob, ada);
    assert.deepEqual(heard, ["session", 1, 2, 3, 4]);
  });

  test("is recovered even after attempts with invalid tokens", async (t) => {
    const { through, ada, bob, heard } = await pairWithTokens(t);
    const { auth } = ada;
    await drop(ada, through);
    await tell(bob, 1, 4);
    const wrong = {
      "token-expired": token({ sub: "ada", exp: now() - 60 }),
      unauthorized: token({ sub: "ada" }, "another secret"),
    };
    for (const [code, bad] of Object.entries(wrong)) {
      ada.auth = { token: bad };
      ada.connect();
      assert.equal((await once(ada, "connect_error")).message, code);
    }
    ada.auth = auth;
    assert.equal(await back(ada), true);
    await fence(bob, ada);
    assert.deepEqual(heard, ["session", 1, 2, 3, 4]);
  });

  test("is recovered, and another user with a stolen pid is not", async (t) => {
    const { server, through, ada, bob, heard } = await pairWithTokens(t);
    await drop(ada, through);
    await tell(bob, 1, 4);
    const eve = server.client({ auth: { token: token({ sub: "eve" }) } });
    const overheard = hearing(eve);
    [eve._pid, eve._lastOffset] = [ada._pid, ada._lastOffset];
    await established(eve);
    assert.equal(eve.recovered, false);
    assert.deepEqual(eve.session.user.id, "eve");
    await fence(bob, eve);
    assert.deepEqual(overheard, ["session"]);
    assert.equal(await back(ada), true);
    await fence(bob, ada);
    assert.deepEqual(heard, ["session", 1, 2, 3, 4]);
  });

  test("is recovered in open mode too, and a stolen pid does not end the owner's connection", async (t) => {
    const { server, ada, bob, heard } = await pair(t);
    const eve = server.client({ auth: { userId: "eve" } });
    [eve._pid, eve._lastOffset] = [ada._pid, ada._lastOffset];
    const guest = server.client();
    [guest._pid, guest._lastOffset] = [ada._pid, ada._lastOffset];
    for (const thief of [eve, guest]) {
      await established(thief);
      assert.equal(thief.recovered, false);
      assert.notEqual(thief.id, ada.id);
    }
    await tell(bob, 1, 4);
    await fence(bob, ada);
    assert.equal(ada.connected, true);
    assert.deepEqual(heard, ["session", 1, 2, 3, 4]);
  });

  test("is not in a room that the newer token does not open", async (t) => {
    const { through, ada, bob, heard } = await pairWithTokens(t);
    await drop(ada, through);
    await tell(bob, 1, 4);
    ada.auth = { token: token({ sub: "ada", rooms: [] }) };
    await back(ada);
    await tell(bob, 5, 8);
    await fence(bob, ada);
    const den = heard.filter((n) => n % 4 === 2 || n % 4 === 3);
    assert.deepEqual(den, []);
    assert.deepEqual(heard.slice(-2), [5, 8], "the lobby and what goes to everyone");
  });

  test("is notified about the expiry of the newer token, not of the old one", async (t) => {
    const { through, ada } = await pairWithTokens(t, { exp: now() + 3 });
    await drop(ada, through);
    ada.auth = { token: token({ sub: "ada", exp: now() - 24 }) };
    assert.equal(await back(ada), true);
    const { code } = await once(ada, "event-error");
    assert.equal(code, "token-expired");
    assert.equal(await once(ada, "disconnect"), "io server disconnect");
    ada.auth = { token: token({ sub: "ada" }) };
    assert.equal(await back(ada), false, "who was sent away is not recovered");
  });
});

describe("a client is not recovered if it missed", () => {
  /** Asserts that it is a new socket, reported as such, which received every event since its own session. */
  async function another({ ada, bob, heard }, id) {
    heard.length = 0;
    assert.equal(await back(ada), false);
    assert.notEqual(ada.id, id);
    await done(ada, "join-room", { room: "den" });
    await tell(bob, 1_001, 1_008);
    await fence(bob, ada);
    assert.deepEqual(heard, ["session", ...upTo(8).map((n) => 1_000 + n)]);
  }

  test("more events than recovery.events", async (t) => {
    const people = await pair(t, { settings: { "recovery.events": 10 } });
    const { through, ada, bob, heard } = people;
    const { id } = ada;
    await drop(ada, through);
    await tell(bob, 1, 4);
    assert.equal(await back(ada), true);
    await fence(bob, ada);
    assert.deepEqual(heard, ["session", 1, 2, 3, 4]);
    await drop(ada, through);
    await tell(bob, 5, 25);
    await another(people, id);
  });

  test("more bytes than recovery.bytes, in one event or in many", async (t) => {
    const people = await pair(t, { settings: { "recovery.bytes": 10_000 } });
    const { through, ada, bob } = people;
    for (const [count, length] of [[1, 10_100], [30, 500]]) {
      const { id } = ada;
      await drop(ada, through);
      for (let n = 0; n < count; n += 1) await ask(bob, "message", "x".repeat(length));
      await another(people, id);
    }
    await drop(ada, through);
    await ask(bob, "message", "x".repeat(5_000));
    assert.equal(await back(ada), true, "less is recovered");
    assert.equal((await once(ada, "message", (text) => text.length === 5_000)).length, 5_000);
  });

  test("more bytes than recovery.bytes, in attachments", async (t) => {
    const people = await pair(t, { settings: { "recovery.bytes": 10_000 } });
    const { through, ada, bob } = people;
    const { id } = ada;
    await drop(ada, through);
    await ask(bob, "message", Buffer.alloc(10_100));
    await another(people, id);
  });

  const evictions = [
    ["recovery.sockets-per-user", "a user", () => "ada"],
    ["recovery.sockets", "the server", (n) => `user ${n}`],
  ];
  for (const [setting, whose, user] of evictions) {
    test(`events on the oldest of more sockets of ${whose} than ${setting}`, async (t) => {
      const server = await start(t, { ...RELAYS, ...METRICS, [setting]: 2 });
      const bob = await server.user("bob");
      const sockets = [];
      for (const n of [0, 1, 2]) {
        const socket = await server.user(user(n));
        sockets.push({ socket, id: socket.id });
      }
      for (const [n, { socket }] of sockets.entries()) {
        socket.io.engine.close();
        await once(socket, "disconnect");
        await server.reaches("sockeye_connections", 3 - n);
      }
      await server.logged({ message: "disconnected", socket: sockets[0].id });
      assert.equal(await server.metric("sockeye_away"), 2);
      await ask(bob, "message", "missed");
      const [gone, ...kept] = sockets;
      assert.equal(await back(gone.socket), false);
      assert.notEqual(gone.socket.id, gone.id);
      for (const { socket, id } of kept) {
        assert.equal(await back(socket), true);
        assert.equal(socket.id, id);
        assert.equal(await once(socket, "message"), "missed");
      }
      await fence(bob, gone.socket);
      assert.deepEqual(untaken(gone.socket, "message"), []);
      assert.equal(await server.metric("sockeye_away"), 0);
    });
  }

  test("too many bytes together with other sockets", async (t) => {
    const server = await start(t, { ...RELAYS, ...METRICS, "recovery.total-bytes": 50_000 });
    const bob = await server.user("bob");
    const sockets = await Promise.all(["ada", "cy", "dee"].map((name) => server.user(name)));
    for (const socket of sockets) {
      socket.io.engine.close();
      await once(socket, "disconnect");
    }
    await server.reaches("sockeye_connections", 1);
    for (let n = 0; n < 20; n += 1) await ask(bob, "message", `${n} ${"x".repeat(5_000)}`);
    for (const socket of sockets) {
      const recovered = await back(socket);
      await fence(bob, socket);
      assert.equal(untaken(socket, "message").length, recovered ? 20 : 0);
    }
    assert.ok(sockets.some(({ recovered }) => !recovered), "300,000 bytes do not fit into 50,000");
  });

  test("too many bytes in all: the first disconnected socket is discarded first, then the largest connected one", async (t) => {
    const own = { "relay.own.to": "user", "relay.own.field": "user" };
    const server = await start(t, { ...RELAYS, ...FREE, ...METRICS, ...own, "recovery.total-bytes": 550_000 });
    const bob = await server.user("bob");
    const [ada, cy, dee] = await Promise.all(["ada", "cy", "dee"].map((name) => server.user(name)));
    const logged = async (user, count = 1) => {
      for (let n = 0; n < count; n += 1) await done(bob, "own", { user, text: "x".repeat(100_000) });
    };
    const hears = async (socket, count = 1) => {
      for (let n = 0; n < count; n += 1) await once(socket, "own");
    };
    const leaves = async (socket) => {
      const { id } = socket;
      socket.io.engine.close();
      await once(socket, "disconnect");
      await server.logged({ message: "away", socket: id });
      return id;
    };
    const TOO_MUCH = "recovery logs of connected sockets were discarded: too much is held";

    await logged("ada", 3);
    await hears(ada, 3);
    const early = { ada: ada._lastOffset };
    const first = await leaves(cy);
    await leaves(dee);
    for (const user of ["cy", "dee"]) await logged(user);
    assert.equal(await server.metric("sockeye_away"), 2, "500,000 bytes fit into 550,000");

    // One too many: the first disconnected socket is discarded, although the log of a connected one is larger.
    await logged("ada");
    await server.logged({ message: "disconnected", socket: first });
    assert.equal(await back(cy), false);
    assert.equal(await back(dee), true, "one was enough");
    assert.ok(!server.stderr.includes(TOO_MUCH));

    // No socket is disconnected: now the largest log is discarded.
    await hears(dee);
    early.dee = dee._lastOffset;
    await logged("dee");
    assert.equal((await server.logged({ message: TOO_MUCH })).sockets, 1);
    await hears(ada);
    await hears(dee);
    await fence(bob, ada, dee);
    await leaves(ada);
    assert.equal(await back(ada), true, "it has seen everything");
    for (const socket of [ada, dee]) await leaves(socket);
    [ada._lastOffset, dee._lastOffset] = [early.ada, early.dee];
    assert.deepEqual([await back(ada), await back(dee)], [false, true]);
    await hears(dee);
  });

  test("more time than the window", async (t) => {
    const people = await pair(t, { settings: { "recovery.window": "3s" } });
    const { server, through, ada, bob } = people;
    const { id } = ada;
    const began = Date.now();
    await drop(ada, through);
    await server.reaches("sockeye_away", 1);
    await tell(bob, 1, 4);
    const line = await server.logged({ message: "disconnected", socket: id });
    assert.ok(Date.now() - began >= 3_000, "not before");
    assert.equal(line.user, "ada");
    assert.equal(await server.metric("sockeye_away"), 0);
    await another(people, id);
  });

  test("a restart of the server", async (t) => {
    const { server, ada } = await pair(t);
    const { id } = ada;
    const message = await done(ada, "send-message", { n: 1 });
    await server.kill();
    await once(ada, "disconnect");
    await server.start(server.port);
    const bob = await server.user("bob");
    await done(bob, "send-message", { n: 2 });
    assert.equal(await back(ada), false);
    assert.notEqual(ada.id, id);
    const { messages } = await done(ada, "join-room", { room: "lobby", since: message.revision });
    assert.deepEqual(messages.map(({ body }) => body.n), [2], "what was saved is asked for");
  });

  test("nothing, but sends an unknown pid or offset", async (t) => {
    const { server, through, ada, bob, heard } = await pair(t);
    const nonsense = ["", "x", "\u0000", "x".repeat(100_000), 7, -1, 1e308, true, null, {}, [], { pid: "x" }, ["x"]];
    for (const pid of nonsense) {
      for (const offset of [undefined, ada._lastOffset, ...nonsense.slice(0, 6)]) {
        const raw = await server.websocket();
        raw.socket.send(`40${JSON.stringify({ userId: "eve", pid, offset })}`);
        const isAnswer = (text) => text.startsWith("40") || text.startsWith("44") || text === "closed";
        const answer = await raw.frames.take(isAnswer, "an answer");
        if (answer.startsWith("40")) assert.notEqual(JSON.parse(answer.slice(2)).sid, ada.id);
        raw.socket.terminate();
      }
    }
    await tell(bob, 1, 4);
    await fence(bob, ada);
    assert.equal(ada.connected, true);
    for (const offset of [...nonsense, "aaaaaa.1", `${ada._lastOffset}0`, `${ada._lastOffset} `]) {
      const { id } = ada;
      await drop(ada, through);
      ada._lastOffset = offset;
      heard.length = 0;
      await tell(bob, 5, 8);
      const recovered = await back(ada);
      await fence(bob, ada);
      assert.equal(ada.id === id, recovered);
      assert.equal(heard[0], "session", `after ${JSON.stringify(offset)}: all from the beginning, or another socket`);
      assert.deepEqual(heard.slice(-4), recovered ? [5, 6, 7, 8] : ["session"]);
      await done(ada, "join-room", { room: "den" });
    }
  });
});

describe("a disconnected socket within the window", () => {
  test("is offline after the grace, and online again when it is recovered", async (t) => {
    const { server, through, ada, bob, heard } = await pair(t, { settings: { "presence.grace": "100ms" } });
    const { id } = ada;
    const of = (list) => list.some((user) => user.id === "ada");
    await once(bob, "presence-changed", ({ room, joined }) => room === "lobby" && of(joined));
    await drop(ada, through);
    await once(bob, "presence-changed", ({ room, left }) => room === "lobby" && of(left));
    const { users } = await done(bob, "list-users", {});
    assert.equal(users.find((user) => user.id === "ada")?.online ?? false, false);
    await tell(bob, 1, 4);
    assert.equal(await back(ada), true);
    assert.equal(ada.id, id);
    await once(bob, "presence-changed", ({ room, joined }) => room === "lobby" && of(joined));
    assert.equal((await done(bob, "list-users", {})).users.find((user) => user.id === "ada")?.online, true);
    await fence(bob, ada);
    assert.deepEqual(heard, ["session", 1, 2, 3, 4]);
    const ends = server.stderr.split("\n").filter((line) => line.includes('"disconnected"') && line.includes(id));
    assert.deepEqual(ends, []);
  });

  test("that is recovered within the grace stays online", async (t) => {
    const { through, ada, bob, server } = await pair(t);
    await once(bob, "presence-changed", ({ joined }) => joined.some(({ id }) => id === "ada"));
    await drop(ada, through);
    await server.reaches("sockeye_away", 1);
    assert.equal(await back(ada), true);
    const cy = await server.user("cy");
    const isLobby = ({ room }) => room === "lobby";
    assert.deepEqual((await once(bob, "presence-changed", isLobby)).joined, [cy.session.user]);
  });

  test("does not count towards the limits", async (t) => {
    for (const limit of ["connections", "sockets-per-user", "sockets-per-address"]) {
      const server = await start(t, { ...METRICS, [`limits.${limit}`]: 1 });
      const ada = await server.user("ada");
      const code = limit === "connections" ? "unavailable" : "rate-limited";
      assert.equal(await server.refusal({ auth: { userId: "ada" } }), code);
      ada.io.engine.close();
      await server.reaches("sockeye_away", 1);
      const next = await server.user("ada");
      next.disconnect();
    }
  });

  test("is counted as away in the metrics until the window closes", async (t) => {
    const { server, through, ada, bob } = await pair(t, { settings: { "recovery.window": "5s" } });
    const { id } = ada;
    assert.deepEqual([await server.metric("sockeye_connections"), await server.metric("sockeye_away")], [2, 0]);
    await drop(ada, through);
    await server.reaches("sockeye_away", 1);
    await server.reaches("sockeye_connections", 1);
    assert.equal(await server.metric('sockeye_disconnects_total{reason="transport close"}'), 0);
    assert.equal(await back(ada), true);
    await server.reaches("sockeye_connections", 2);
    assert.equal(await server.metric("sockeye_away"), 0);
    await drop(ada, through);
    const { reason } = await server.logged({ message: "disconnected", socket: id });
    await server.reaches("sockeye_away", 0);
    assert.equal(await server.metric("sockeye_connections"), 1);
    assert.equal(await server.metric(`sockeye_disconnects_total{reason="${reason}"}`), 1);
    assert.equal(await server.metric('sockeye_recoveries_total{outcome="recovered"}'), 1);
    assert.equal(bob.connected, true);
  });

  test("receives later what was sent to its user", async (t) => {
    const { through, ada, bob } = await pair(t, { settings: { "relay.invite.to": "user", "relay.invite.argument": 0 } });
    await drop(ada, through);
    assert.equal((await ask(bob, "invite", "ada", 1)).success, true);
    const direct = await done(bob, "send-message", { to: "ada", n: 2 });
    assert.equal(await back(ada), true);
    assert.deepEqual(await all(ada, "invite"), ["ada", 1]);
    const { message } = await once(ada, "message-saved");
    assert.equal(message.id, direct.id);
    await tell(bob, 1, 1);
    assert.deepEqual(await once(ada, "message"), 1);
  });

  test("is removed from a room that its user leaves on another device", async (t) => {
    const { server, through, ada, bob, heard } = await pair(t);
    const device = await server.user("ada");
    await drop(ada, through);
    await tell(bob, 1, 4);
    await done(device, "leave-room", { room: "den" });
    await tell(bob, 5, 8);
    assert.equal(await back(ada), true);
    await tell(bob, 9, 12);
    await fence(bob, ada);
    assert.deepEqual(heard, ["session", 1, 2, 3, 4, 5, 8, 9, 12]);
  });
});
