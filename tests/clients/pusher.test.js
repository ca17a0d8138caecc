// Pusher's server library, unmodified from npm, and Socket.IO clients that receive its events.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash, createHmac } from "node:crypto";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import Pusher from "pusher";

import { all, done, established, fence, inTime, once, refused, start, untaken } from "./harness.js";

const APP = { appId: "3", key: "278d425bdf160c739803", secret: "7ad3773142a6692b25b8" };
const SETTINGS = { "pusher.app-id": APP.appId, "pusher.key": APP.key, "pusher.secret": APP.secret };
const EVENTS = `/apps/${APP.appId}/events`;

/** The unmodified library, as a backend configures it. */
function backend(server, options = {}) {
  return new Pusher({ ...APP, host: "127.0.0.1", port: String(server.port), useTLS: false, ...options });
}

async function startWith(t, settings = {}) {
  const server = await start(t, { ...SETTINGS, ...settings });
  return { server, pusher: backend(server) };
}

/** Status and message of a refused call. */
async function refusal(call) {
  const error = await call.then(
    () => assert.fail("the call was not refused"),
    (error) => error,
  );
  assert.equal(error.name, "PusherRequestError", error.stack);
  assert.equal(typeof error.body, "string", `no answer: ${error.error}`);
  assert.match(error.body, /^[^{<\n]+$/, "one plain sentence");
  assert.ok(!error.body.includes(APP.secret));
  return { status: error.status, body: error.body };
}

async function status(call) {
  return (await refusal(call)).status;
}

/** The JSON response to a call. */
async function answer(call) {
  const response = await call;
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "application/json");
  return response.json();
}

/** A request signed as by the library, after a change of any of its parts. */
function crafted(server, { method = "POST", path = EVENTS, body = "", secret = APP.secret, params = {}, tail = "", sent = body, headers = {} } = {}) {
  const all = {
    auth_key: APP.key,
    auth_timestamp: String(Math.floor(Date.now() / 1000)),
    auth_version: "1.0",
    ...(body && { body_md5: createHash("md5").update(body).digest("hex") }),
    ...params,
  };
  const query = Object.keys(all).sort().filter((name) => all[name] !== undefined).map((name) => `${name}=${all[name]}`).join("&");
  const signature = createHmac("sha256", secret).update(`${method}\n${path}\n${query}`).digest("hex");
  return server.request(`${encodeURI(path)}?${encodeURI(query)}&auth_signature=${signature}${tail}`, { method, body: sent, headers });
}

const PYTHON = fileURLToPath(new URL("../foreign/python/.venv/bin/python", import.meta.url));

/** Pusher's Python library, unmodified, terminates a user's connections. */
async function terminatedByPython(server, name) {
  const script = `
import pusher, sys
app_id, key, secret, port, user = sys.argv[1:]
pusher.Pusher(app_id, key, secret, host="127.0.0.1", port=int(port), ssl=False).terminate_user_connections(user)
`;
  const args = ["-c", script, APP.appId, APP.key, APP.secret, String(server.port), name];
  const call = promisify(execFile)(PYTHON, args);
  await inTime(call, "the end of Python");
}

/** The socket id in the form of the library. */
function pusherSocketId({ id }) {
  const bytes = Buffer.from(id, "base64url");
  return `${bytes.readUIntBE(0, 6)}.${bytes.readUIntBE(6, 6)}`;
}

/** A user who is subscribed to a channel. */
async function hearing(server, name, channel, options) {
  const socket = await server.user(name, options);
  await done(socket, "join-room", { room: channel });
  return socket;
}

describe("trigger", () => {
  test("reaches exactly the subscribers of the channel, in every generation", async (t) => {
    const { server, pusher } = await startWith(t);
    const hearers = [];
    for (const generation of [4, 3, 2]) hearers.push(await hearing(server, `v${generation}`, "orders", { generation }));
    const other = await server.user("other");
    assert.deepEqual(await answer(pusher.trigger("orders", "order-shipped", { id: 7 })), {});
    for (const socket of hearers) assert.deepEqual(await all(socket, "order-shipped"), [{ id: 7 }]);
    await fence(other, other);
    assert.deepEqual(untaken(other, "order-shipped"), []);
  });

  test("sends data as a JSON value", async (t) => {
    const { server, pusher } = await startWith(t);
    const socket = await hearing(server, "ada", "orders");
    const values = [{ a: [1, { b: null }] }, [1, 2], 7, true, null, "", "hello", "two words", "{", { text: "é \u2028 \u{1f600} \u001e\n" }];
    for (const value of values) {
      await pusher.trigger("orders", "value", value);
      assert.deepEqual(await all(socket, "value"), [value]);
    }
    // The library sends a string and its JSON text in the same form, so a string of JSON arrives as the value.
    await pusher.trigger("orders", "value", '{"n":1}');
    assert.deepEqual(await all(socket, "value"), [{ n: 1 }]);
  });

  test("to an encrypted channel forwards the ciphertext", async (t) => {
    const { server } = await startWith(t);
    const pusher = backend(server, { encryptionMasterKeyBase64: Buffer.alloc(32, 7).toString("base64") });
    const socket = await hearing(server, "ada", "private-encrypted-x");
    await pusher.trigger("private-encrypted-x", "secret", { pin: 1234 });
    const data = await once(socket, "secret");
    assert.deepEqual(Object.keys(data).sort(), ["ciphertext", "nonce"]);
    assert.ok(!JSON.stringify(data).includes("1234"));
  });

  test("to several channels reaches each socket once", async (t) => {
    const { server, pusher } = await startWith(t);
    const both = await hearing(server, "ada", "red");
    await done(both, "join-room", { room: "blue" });
    const one = await hearing(server, "bob", "blue");
    const channels = ["red", "blue", ...Array.from({ length: 98 }, (_, index) => `channel-${index}`)];
    await pusher.trigger(channels, "paint", 1);
    for (const socket of [both, one]) assert.deepEqual(await all(socket, "paint"), [1]);
    await fence(one, both, one);
    for (const socket of [both, one]) assert.deepEqual(untaken(socket, "paint"), []);
  });

  test("excludes the socket in socket_id", async (t) => {
    const { server, pusher } = await startWith(t);
    for (const generation of [4, 3, 2]) {
      const sender = await hearing(server, "ada", "orders", { generation });
      const device = await hearing(server, "ada", "orders", { generation });
      const other = await hearing(server, "bob", "orders");
      await pusher.trigger("orders", "note", generation, { socket_id: pusherSocketId(sender) });
      for (const socket of [device, other]) assert.deepEqual(await all(socket, "note"), [generation]);
      await fence(other, sender);
      assert.deepEqual(untaken(sender, "note"), [], `v${generation}`);
      for (const socket of [sender, device, other]) socket.disconnect();
    }
  });

  test("with an unknown socket_id excludes no socket", async (t) => {
    const { server, pusher } = await startWith(t);
    const socket = await hearing(server, "ada", "orders");
    await pusher.trigger("orders", "note", 1, { socket_id: "123.456" });
    assert.deepEqual(await all(socket, "note"), [1]);
    assert.equal(await status(pusher.trigger("orders", "note", 2, { socket_id: `${2 ** 48}.1` })), 400);
  });

  test("returns the requested info of its channels", async (t) => {
    const { server, pusher } = await startWith(t);
    await hearing(server, "ada", "presence-x");
    await hearing(server, "ada", "presence-x");
    await hearing(server, "bob", "presence-x");
    const info = "user_count,subscription_count";
    assert.deepEqual(await answer(pusher.trigger(["presence-x", "presence-y"], "e", 1, { info })), {
      channels: {
        "presence-x": { user_count: 2, subscription_count: 3 },
        "presence-y": { user_count: 0, subscription_count: 0 },
      },
    });
    assert.deepEqual(await answer(pusher.trigger("orders", "e", 1, { info: "subscription_count" })), {
      channels: { orders: { subscription_count: 0 } },
    });
  });

  test("with unknown info is refused, and nothing is sent", async (t) => {
    const { server, pusher } = await startWith(t);
    const socket = await hearing(server, "ada", "orders");
    for (const info of ["user_count", "cache", "subscription_count,password"]) {
      assert.equal(await status(pusher.trigger(["presence-x", "orders"], "e", info, { info })), 400, info);
    }
    await fence(socket, socket);
    assert.deepEqual(untaken(socket, "e"), []);
  });

  test("cannot forge the server's own events, nor reach internal rooms", async (t) => {
    const { server, pusher } = await startWith(t);
    const socket = await hearing(server, "ada", "orders");
    for (const event of ["message-saved", "session", "server-closing", "connect", "disconnect", "pusher:error", "pusher_internal:x", ""]) {
      assert.equal(await status(pusher.trigger("orders", event, {})), 400, event);
    }
    for (const channel of ["\u0001dm:3:ada:bob", "a\u0001", "dm:ada", "", " ", "x".repeat(129), "#server-to-user-", "#server-to-user-\u0001"]) {
      const body = JSON.stringify({ name: "e", data: "1", channels: ["orders", channel] });
      assert.equal((await crafted(server, { body })).status, 400, JSON.stringify(channel));
    }
    await fence(socket, socket);
    assert.deepEqual(untaken(socket, "e", "message-saved", "session", "disconnect"), []);
  });

  test("in a burst loses no event, and all clients receive the same order", async (t) => {
    const { server, pusher } = await startWith(t);
    const hearers = [await hearing(server, "ada", "orders"), await hearing(server, "bob", "orders", { generation: 2 })];
    const sent = Array.from({ length: 500 }, (_, index) => index);
    await inTime(Promise.all(sent.map((index) => pusher.trigger("orders", "tick", index))), "500 triggers");
    const heard = [];
    for (const socket of hearers) {
      const ticks = [];
      while (ticks.length < sent.length) ticks.push(await once(socket, "tick"));
      heard.push(ticks);
    }
    assert.deepEqual([...heard[0]].sort((one, other) => one - other), sent);
    assert.deepEqual(heard[1], heard[0]);
  });

  test("reaches a client that is recovered later", async (t) => {
    const { server, pusher } = await startWith(t);
    const socket = await hearing(server, "ada", "orders");
    await pusher.trigger("orders", "before", 1);
    await once(socket, "before");
    socket.io.engine.close();
    await once(socket, "disconnect");
    await pusher.trigger("orders", "missed", 2);
    socket.connect();
    assert.deepEqual(await all(socket, "missed"), [2]);
    assert.equal(socket.recovered, true);
  });
});

describe("triggerBatch", () => {
  test("sends its events in their order", async (t) => {
    const { server, pusher } = await startWith(t);
    const socket = await hearing(server, "ada", "orders");
    const batch = Array.from({ length: 10 }, (_, index) => ({ channel: "orders", name: "step", data: { index } }));
    assert.deepEqual(await answer(pusher.triggerBatch(batch)), {});
    for (let index = 0; index < 10; index++) assert.deepEqual(await all(socket, "step"), [{ index }]);
  });

  test("excludes the socket_id of each event, and answers in order", async (t) => {
    const { server, pusher } = await startWith(t);
    const [ada, bob] = [await hearing(server, "ada", "presence-x"), await hearing(server, "bob", "presence-x")];
    const batch = [
      { channel: "presence-x", name: "one", data: 1, socket_id: pusherSocketId(ada), info: "user_count" },
      { channel: "presence-x", name: "two", data: "text", socket_id: pusherSocketId(bob) },
      { channel: "orders", name: "three", data: 3, info: "subscription_count" },
    ];
    assert.deepEqual(await answer(pusher.triggerBatch(batch)), { batch: [{ user_count: 2 }, {}, { subscription_count: 0 }] });
    assert.deepEqual(await all(bob, "one"), [1]);
    assert.deepEqual(await all(ada, "two"), ["text"]);
    await fence(ada, ada, bob);
    for (const socket of [ada, bob]) assert.deepEqual(untaken(socket, "one", "two"), []);
  });

  test("is refused as a whole if one event is invalid", async (t) => {
    const { server, pusher } = await startWith(t);
    const socket = await hearing(server, "ada", "orders");
    const good = { channel: "orders", name: "e", data: "1" };
    for (const wrong of [{ name: "session" }, { channel: "dm:ada" }, { socket_id: "x" }, { info: "user_count" }]) {
      assert.equal(await status(pusher.triggerBatch([{ ...good }, { ...good, ...wrong }])), 400, JSON.stringify(wrong));
    }
    for (const wrong of [{ name: "e", data: "1" }, { ...good, channels: ["orders"] }]) {
      const body = JSON.stringify({ batch: [good, wrong] });
      assert.equal((await crafted(server, { path: "/apps/3/batch_events", body })).status, 400, JSON.stringify(wrong));
    }
    assert.equal(await status(pusher.triggerBatch(Array.from({ length: 11 }, () => ({ ...good })))), 400);
    await fence(socket, socket);
    assert.deepEqual(untaken(socket, "e"), []);
  });
});

describe("users", () => {
  const NAMES = ["bob", "user with space", "müller-日本-😀", "auth0|123", "a/b", "100%", "name+tag@example.com", "presence-x"];

  test("sendToUser reaches exactly the sockets of that user", async (t) => {
    const { server, pusher } = await startWith(t);
    const other = await server.user("other");
    for (const name of NAMES) {
      const devices = [await server.user(name), await server.user(name, { generation: 2 })];
      await pusher.sendToUser(name, "MEMBER_DEACTIVATED", { memberId: name });
      for (const socket of devices) assert.deepEqual(await all(socket, "MEMBER_DEACTIVATED"), [{ memberId: name }]);
    }
    assert.deepEqual(await answer(pusher.sendToUser("nobody", "MEMBER_DEACTIVATED", {})), {});
    await fence(other, other);
    assert.deepEqual(untaken(other, "MEMBER_DEACTIVATED"), []);
  });

  test("terminateUserConnections disconnects all sockets of that user, which do not reconnect", async (t) => {
    const { server, pusher } = await startWith(t);
    const other = await server.user("other");
    for (const name of NAMES) {
      const devices = [
        await server.user(name, { reconnection: true }),
        await server.user(name, { reconnection: true, generation: 2 }),
        await server.user(name, { reconnection: true, transports: ["polling"] }),
      ];
      assert.deepEqual(await answer(pusher.terminateUserConnections(name)), {});
      for (const socket of devices) assert.equal(await once(socket, "disconnect"), "io server disconnect", name);
      for (const socket of devices) assert.equal(socket.connected, false);
    }
    await fence(other, other);
    assert.deepEqual(untaken(other, "disconnect"), []);
    assert.deepEqual(await answer(pusher.terminateUserConnections("nobody")), {});
  });

  test("terminate_user_connections of the library for Python, which omits the app id in the path", async (t) => {
    const { server } = await startWith(t);
    for (const name of ["bob", "ada@example.com"]) {
      const socket = await server.user(name, { reconnection: true });
      assert.equal((await crafted(server, { path: `/users/${name}/terminate_connections`, body: "{}", secret: "x" })).status, 401);
      await fence(socket, socket);
      await terminatedByPython(server, name);
      assert.equal(await once(socket, "disconnect"), "io server disconnect", name);
    }
    const socket = await server.user("a/b");
    assert.equal((await crafted(server, { path: "/users/a/b/terminate_connections", body: "{}" })).status, 200);
    assert.equal(await once(socket, "disconnect"), "io server disconnect");
    assert.equal((await crafted(server, { path: "/users/bob/ban", body: "{}" })).status, 404);
    const elsewhere = await start(t);
    assert.equal((await crafted(elsewhere, { path: "/users/bob/terminate_connections", body: "{}" })).status, 404);
  });

  test("a disconnected socket of a terminated user is not recovered", async (t) => {
    const { server, pusher } = await startWith(t);
    const socket = await server.user("bob");
    const { id } = socket;
    socket.io.engine.close();
    await once(socket, "disconnect");
    await pusher.terminateUserConnections("bob");
    await established(socket);
    assert.notEqual(socket.id, id);
    assert.equal(socket.recovered, false);
  });

  test("an id that cannot be one is refused", async (t) => {
    const { server, pusher } = await startWith(t);
    for (const name of ["x".repeat(129), "\u0001"]) {
      assert.equal(await status(pusher.terminateUserConnections(name)), 400);
      assert.equal(await status(pusher.sendToUser(name, "e", 1)), 400);
    }
    assert.equal((await crafted(server, { path: `/apps/3/users/bob/ban`, body: "{}" })).status, 404);
  });
});

describe("channels", () => {
  test("are listed while they have subscribers", async (t) => {
    const { server, pusher } = await startWith(t);
    const list = async (params) => (await answer(pusher.get({ path: "/channels", params }))).channels;
    assert.deepEqual(await list(), {});
    const ada = await hearing(server, "ada", "presence-x");
    const device = await hearing(server, "ada", "presence-x");
    const bob = await hearing(server, "bob", "presence- y");
    await done(bob, "send-message", { to: "ada", text: "a direct message makes no channel" });
    assert.deepEqual(await list(), { lobby: {}, "presence-x": {}, "presence- y": {} });
    assert.deepEqual(await list({ filter_by_prefix: "presence-" }), { "presence-x": {}, "presence- y": {} });
    assert.deepEqual(await list({ filter_by_prefix: "presence- " }), { "presence- y": {} });
    assert.deepEqual(await list({ filter_by_prefix: "presence-", info: "user_count" }), {
      "presence-x": { user_count: 1 },
      "presence- y": { user_count: 1 },
    });
    assert.deepEqual(await list({ filter_by_prefix: "presence-x", info: "user_count,subscription_count" }), {
      "presence-x": { user_count: 1, subscription_count: 2 },
    });
    await done(device, "leave-room", { room: "presence-x" });
    assert.deepEqual(await list({ filter_by_prefix: "presence-x" }), {});
    for (const params of [{ info: "user_count" }, { info: "user_count", filter_by_prefix: "p" }, { info: "cache" }]) {
      assert.equal(await status(pusher.get({ path: "/channels", params })), 400, JSON.stringify(params));
    }
    ada.disconnect();
  });

  test("return the requested info", async (t) => {
    const { server, pusher } = await startWith(t);
    await hearing(server, "ada", "presence-x");
    await hearing(server, "ada", "presence-x", { generation: 2 });
    const get = (name, info) => pusher.get({ path: `/channels/${name}`, params: info && { info } });
    assert.deepEqual(await answer(get("presence-x")), { occupied: true });
    assert.deepEqual(await answer(get("presence-x", "subscription_count")), { occupied: true, subscription_count: 2 });
    assert.deepEqual(await answer(get("presence-x", "user_count,subscription_count")), { occupied: true, user_count: 1, subscription_count: 2 });
    assert.deepEqual(await answer(get("nowhere", "subscription_count")), { occupied: false, subscription_count: 0 });
    assert.deepEqual(await answer(get("tea room", "subscription_count")), { occupied: false, subscription_count: 0 });
    for (const [name, info] of [["orders", "user_count"], ["presence-x", "cache"], ["dm:ada"], ["x".repeat(129)], ["\u0001"]]) {
      assert.equal(await status(get(name, info)), 400, name);
    }
  });

  test("list their users if they are presence channels, without guests", async (t) => {
    const { server, pusher } = await startWith(t);
    const users = (name) => pusher.get({ path: `/channels/${name}/users` });
    assert.deepEqual(await answer(users("presence-x")), { users: [] });
    await hearing(server, "user with space", "presence-x");
    await hearing(server, "bob", "presence-x");
    await hearing(server, "bob", "presence-x");
    const guest = await server.connect();
    await done(guest, "join-room", { room: "presence-x" });
    assert.deepEqual(await answer(users("presence-x")), { users: [{ id: "bob" }, { id: "user with space" }] });
    const info = "user_count,subscription_count";
    assert.deepEqual(await answer(pusher.get({ path: "/channels/presence-x", params: { info } })), { occupied: true, user_count: 2, subscription_count: 4 });
    assert.equal(await status(users("orders")), 400);
    assert.equal(await status(users("dm:bob")), 400);
  });

  test("do not contain a client after its disconnect", async (t) => {
    const { server, pusher } = await startWith(t, { "presence.grace": "1h" });
    const socket = await hearing(server, "ada", "presence-x");
    await hearing(server, "bob", "presence-x");
    const count = async () => answer(pusher.get({ path: "/channels/presence-x", params: { info: "user_count,subscription_count" } }));
    socket.io.engine.close();
    // The client knows of its disconnect before the server does.
    await server.logged({ message: "away", user: "ada" });
    assert.deepEqual(await count(), { occupied: true, user_count: 1, subscription_count: 1 });
    await pusher.terminateUserConnections("bob");
    assert.deepEqual(await count(), { occupied: false, user_count: 0, subscription_count: 0 });
  });
});

describe("the signature", () => {
  const body = JSON.stringify({ name: "e", data: "1", channels: ["orders"] });

  test("of another secret, key or app is refused", async (t) => {
    const { server, pusher } = await startWith(t);
    assert.deepEqual(await answer(pusher.trigger("orders", "e", 1)), {});
    assert.equal(await status(backend(server, { secret: "wrong" }).trigger("orders", "e", 1)), 401);
    assert.equal(await status(backend(server, { key: "wrong" }).trigger("orders", "e", 1)), 401);
    assert.equal(await status(backend(server, { appId: "4" }).trigger("orders", "e", 1)), 404);
    assert.equal(await status(backend(server, { secret: "wrong" }).get({ path: "/channels" })), 401);
    assert.equal(await status(backend(server, { secret: "wrong" }).terminateUserConnections("ada")), 401);
    assert.ok(await server.logged({ message: "a request to Pusher's API was refused" }));
    assert.ok(!server.stderr.includes(APP.secret), "the secret is in no log");
  });

  test("covers the body, the parameters and the path", async (t) => {
    const { server } = await startWith(t);
    const socket = await hearing(server, "ada", "orders");
    const tries = {
      "a changed body": { body, sent: body.replace('"1"', '"2"') },
      "no body": { body, sent: "" },
      "a body without a digest": { body, params: { body_md5: undefined } },
      "a digest of something else": { body, params: { body_md5: "0".repeat(32) } },
      "one more parameter": { body, tail: "&info=subscription_count" },
      "another version": { body, params: { auth_version: "2.0" } },
      "no key": { body, params: { auth_key: undefined } },
      "no time": { body, params: { auth_timestamp: undefined } },
      "a time that is none": { body, params: { auth_timestamp: "soon" } },
      "a huge time": { body, params: { auth_timestamp: "9".repeat(400) } },
      "an old time": { body, params: { auth_timestamp: String(Math.floor(Date.now() / 1000) - 610) } },
      "a time to come": { body, params: { auth_timestamp: String(Math.floor(Date.now() / 1000) + 620) } },
    };
    for (const [what, request] of Object.entries(tries)) {
      const { status, body: sentence } = await crafted(server, request);
      assert.equal(status, 401, `${what}: ${sentence}`);
      assert.match(sentence, /^[^{<\n]+$/, what);
    }
    for (const tail of ["&auth_key=x", "&x=%ff", "&AUTH_KEY=x"]) assert.equal((await crafted(server, { body, tail })).status, 400, tail);
    assert.equal((await crafted(server, { method: "GET", path: "/apps/3/channels", params: { info: undefined } })).status, 200);
    assert.equal((await server.request(EVENTS, { method: "POST", body })).status, 401);
    await fence(socket, socket);
    assert.deepEqual(untaken(socket, "e"), []);
    const inTenMinutes = { body, params: { auth_timestamp: String(Math.floor(Date.now() / 1000) - 590) } };
    assert.equal((await crafted(server, inTenMinutes)).status, 200);
    await once(socket, "e");
  });

  test("suffices, with any Origin header", async (t) => {
    const { server } = await startWith(t);
    const body = JSON.stringify({ name: "e", data: "1", channels: ["orders"] });
    const headers = { origin: "https://evil.example" };
    assert.equal((await crafted(server, { body, headers })).status, 200);
    assert.equal((await crafted(server, { body, headers, secret: "another" })).status, 401);
  });

  test("may be repeated: a replayed request emits again", async (t) => {
    const { server } = await startWith(t);
    const socket = await hearing(server, "ada", "orders");
    for (let times = 0; times < 2; times++) {
      assert.equal((await crafted(server, { body, params: { auth_timestamp: String(Math.floor(Date.now() / 1000)) } })).status, 200);
      assert.equal(await once(socket, "e"), 1);
    }
  });
});

describe("wrong requests", () => {
  test("an invalid body is answered with one sentence", async (t) => {
    const { server } = await startWith(t);
    const bodies = ["{", "[]", "null", "{}", '{"name":"e"}', '{"name":"e","data":{},"channel":"a"}', '{"name":1,"data":"","channel":"a"}', '{"name":"e","data":"","channels":"a"}', '{"name":"e","data":""}', "\u0000"];
    for (const body of bodies) {
      const { status, headers, body: sentence } = await crafted(server, { body });
      assert.equal(status, 400, body);
      assert.equal(headers["content-type"], "text/plain; charset=utf-8");
      assert.match(sentence, /^[^<\n]+$/, body);
    }
    assert.equal((await crafted(server, { path: "/apps/3/batch_events", body: '{"batch":{}}' })).status, 400);
  });

  test("an unknown method or path is refused", async (t) => {
    const { server } = await startWith(t);
    for (const [method, path] of [["GET", EVENTS], ["PUT", EVENTS], ["POST", "/apps/3/channels"], ["DELETE", "/apps/3/channels/orders"]]) {
      const { status, body } = await crafted(server, { method, path });
      assert.deepEqual([status, body], [405, ""], `${method} ${path}`);
    }
    for (const path of ["/apps/3", "/apps/3/nothing", "/apps"]) assert.equal((await crafted(server, { method: "GET", path })).status, 404, path);
  });

  test("a body that is too large is answered without being read", async (t) => {
    const { server, pusher } = await startWith(t);
    const socket = await hearing(server, "ada", "orders");
    assert.equal(await status(pusher.trigger("orders", "e", "x".repeat(100_000_000))), 413);
    assert.equal(await status(backend(server, { secret: "wrong" }).trigger("orders", "e", "x".repeat(3_000_000))), 401);
    assert.ok((await server.memory()) < 150_000, "it was not kept");
    const body = JSON.stringify({ name: "e", data: "x".repeat(2_000_000), channel: "orders" });
    assert.equal((await crafted(server, { body, headers: { "transfer-encoding": "chunked" } })).status, 413);
    const most = "x".repeat(900_000);
    await pusher.trigger("orders", "e", most);
    assert.equal(await once(socket, "e"), most);
  });

  test("without settings the API is not served", async (t) => {
    const server = await start(t);
    assert.equal(await status(backend(server).trigger("orders", "e", 1)), 404);
    assert.equal(await status(backend(server, { appId: "" }).get({ path: "/channels" })), 404);
    assert.equal((await crafted(server, { method: "GET", path: "/apps//channels" })).status, 404);
  });

  test("while the server is closing, the answer is 503", async (t) => {
    const { server, pusher } = await startWith(t, { "server.drain": "1h" });
    const socket = await server.user("ada");
    server.terminate();
    await once(socket, "server-closing");
    assert.equal(await status(pusher.trigger("orders", "e", 1)), 503);
  });
});

test("environment variables configure the API as well", async (t) => {
  const variables = { SOCKEYE_PUSHER__APP_ID: "42", SOCKEYE_PUSHER__KEY: "1234", SOCKEYE_PUSHER__SECRET: "5678" };
  const server = await start(t, {}, variables);
  const pusher = backend(server, { appId: 42, key: "1234", secret: "5678" });
  const socket = await hearing(server, "ada", "orders");
  await pusher.trigger("orders", "e", 1);
  assert.equal(await once(socket, "e"), 1);
});

test("tokens restrict the rooms of clients, not of the backend", async (t) => {
  const { server, pusher } = await startWith(t, { "auth.mode": "jwt", "auth.secret": "x".repeat(32) });
  const token = (claims) => {
    const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const text = `${part({ alg: "HS256" })}.${part({ exp: Math.floor(Date.now() / 1000) + 600, ...claims })}`;
    return `${text}.${createHmac("sha256", "x".repeat(32)).update(text).digest("base64url")}`;
  };
  const ada = await server.connect({ auth: { token: token({ sub: "ada", rooms: ["private-a"] }) } });
  const bob = await server.connect({ auth: { token: token({ sub: "bob" }) } });
  await done(ada, "join-room", { room: "private-a" });
  assert.equal(await refused(bob, "join-room", { room: "private-a" }), "forbidden");
  await pusher.trigger("private-a", "e", 1);
  assert.equal(await once(ada, "e"), 1);
  await pusher.sendToUser("bob", "fence", 2);
  assert.equal(await once(bob, "fence"), 2);
  assert.deepEqual(untaken(bob, "e"), []);
});
