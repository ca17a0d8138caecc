// The HTTP API's users: known and online users, their devices and unread counts, and disconnecting them.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { newKey } from "./api.js";
import { Api, JWT, token } from "./backend.js";
import { GENERATIONS, TRANSPORTS, done, inTime, once, start, upgraded } from "./harness.js";

/** A server and a backend with a key. */
async function open(t, settings = {}) {
  const { key, settings: known } = newKey();
  const server = await start(t, { ...known, ...settings });
  return { server, backend: new Api(server, key) };
}

const people = ({ users }) => users.map(({ id }) => id);
const part = encodeURIComponent;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** Fulfilled when a user is offline and the time is stored. */
async function offline(backend, id) {
  const gone = async () => {
    for (;;) {
      const user = await backend.done("GET", `/users/${part(id)}`);
      if (!user.online && user.lastSeen !== undefined) return user;
    }
  };
  return inTime(gone(), `${id} is offline`);
}

describe("the list of users", () => {
  test("contains the online status, or the time last seen", async (t) => {
    const { server, backend } = await open(t, { "presence.grace": "0s" });
    await server.connect({ auth: { userId: "ada", name: "Ada" } });
    const bob = await server.connect({ auth: { userId: "bob", name: "Bob" }, generation: 2 });
    await server.connect();
    await backend.done("POST", "/messages", { from: { id: "cyd", name: "Cyd" }, body: {} }, 201);
    bob.disconnect();
    const { lastSeen } = await offline(backend, "bob");
    assert.match(lastSeen, TIME);
    const [ada, away, never] = [
      { id: "ada", name: "Ada", online: true },
      { id: "bob", name: "Bob", online: false, lastSeen },
      { id: "cyd", name: "Cyd", online: false },
    ];
    assert.deepEqual(await backend.done("GET", "/users"), { users: [ada, away, never] });
    assert.deepEqual(await backend.done("GET", "/users?online=true"), { users: [ada] });
    assert.deepEqual(await backend.done("GET", "/users?online=false"), { users: [away, never] });
  });

  test("is paged by id", async (t) => {
    const { server, backend } = await open(t);
    const all = ["a/b", "a?b", "dm:x", "m", "z", "é", "日本"];
    for (const id of all) await backend.done("POST", "/messages", { from: { id, name: id }, body: {} }, 201);
    for (const id of ["dm:x", "z"]) await server.user(id);
    for (const [query, wanted] of [
      ["", all],
      ["online=true", ["dm:x", "z"]],
      ["online=false", ["a/b", "a?b", "m", "é", "日本"]],
    ]) {
      for (const limit of [1, 2, 3, 200]) {
        const found = [];
        let next;
        do {
          const page = await backend.done("GET", `/users?${query}&limit=${limit}${next === undefined ? "" : `&after=${part(next)}`}`);
          assert.ok(page.users.length <= limit);
          found.push(...people(page));
          next = page.next;
        } while (next !== undefined);
        assert.deepEqual(found, wanted, `${query} ${limit}`);
      }
    }
    for (const query of ["limit=0", "limit=x", "online=maybe", "after=%01"]) {
      assert.equal(await backend.refused("GET", `/users?${query}`), "400 bad-payload", query);
    }
  });
});

describe("one user", () => {
  test("has rooms and devices in all namespaces, and names are percent-encoded", async (t) => {
    const { server, backend } = await open(t, { "recovery.window": "10s" });
    const id = "a/b c?日本";
    const before = Date.now();
    const sockets = [];
    for (const generation of GENERATIONS) {
      for (const transports of TRANSPORTS) {
        const socket = await server.user(id, { generation, transports });
        await upgraded(socket);
        // An acknowledgement over the new transport proves that the server has completed the upgrade.
        await done(socket, "list-rooms", {});
        sockets.push(socket);
      }
    }
    await done(sockets[0], "join-room", { room: "tea" });
    await backend.done("POST", "/messages", { room: "tea", body: {} }, 201);
    const user = await backend.done("GET", `/users/${part(id)}`);
    assert.deepEqual([user.id, user.name, user.online], [id, id, true]);
    assert.deepEqual(user.rooms, [{ room: "tea", head: { offset: 1, revision: 1 }, read: 0, unread: 1 }]);
    const found = new Map(user.devices.map((device) => [device.socketId, device]));
    assert.equal(found.size, sockets.length);
    for (const socket of sockets) {
      const { connectedAt, transport, ...device } = found.get(socket.id);
      assert.deepEqual(device, { socketId: socket.id, namespace: "/", address: "127.0.0.1", away: false });
      assert.equal(transport, socket.io.engine.transport.name);
      assert.ok(Date.parse(connectedAt) >= before - 1 && Date.parse(connectedAt) <= Date.now() + 1, connectedAt);
    }
    sockets[0].io.engine.close();
    await server.logged({ message: "away", user: id });
    const { devices } = await backend.done("GET", `/users/${part(id)}`);
    const away = devices.find(({ socketId }) => socketId === sockets[0].session.socketId);
    const { connectedAt } = found.get(sockets[0].session.socketId);
    assert.deepEqual(away, { socketId: sockets[0].session.socketId, namespace: "/", connectedAt, away: true });
  });

  test("is known after a connection, a membership or a message, otherwise not found", async (t) => {
    const { server, backend } = await open(t);
    await backend.done("PUT", "/rooms/tea/users/put");
    await backend.done("POST", "/messages", { to: "told", body: {} }, 201);
    assert.deepEqual((await backend.done("GET", "/users/put")).rooms.map(({ room }) => room), ["tea"]);
    assert.deepEqual((await backend.done("GET", "/users/told")).rooms.map(({ room }) => room), ["dm:system"]);
    const guest = await server.connect();
    const { devices, online } = await backend.done("GET", `/users/${guest.session.user.id}`);
    assert.deepEqual([devices.length, online], [1, true]);
    for (const id of ["nobody", "system", "%20x", "guest-nobody"]) {
      assert.equal(await backend.refused("GET", `/users/${id}`), "404 not-found", id);
    }
    for (const id of ["%01", "a%01b", "%20", "x".repeat(129), "%FF"]) {
      assert.equal(await backend.refused("GET", `/users/${id}`), "400 bad-payload", id);
      assert.equal(await backend.refused("GET", `/users/${id}/unread`), "400 bad-payload", id);
      assert.equal(await backend.refused("POST", `/users/${id}/disconnect`), "400 bad-payload", id);
    }
  });

  test("has unread counts", async (t) => {
    const { server, backend } = await open(t);
    const ada = await server.user("ada");
    for (const room of ["tea", "read"]) await done(ada, "join-room", { room });
    for (const room of ["tea", "tea", "tea", "read"]) await backend.done("POST", "/messages", { room, body: {} }, 201);
    await backend.done("POST", "/messages", { from: { id: "bob" }, to: "ada", body: {} }, 201);
    await done(ada, "mark-read", { room: "read", offset: 1 });
    await done(ada, "mark-read", { room: "tea", offset: 1 });
    const wanted = { rooms: { tea: 2, "dm:bob": 1 }, total: 3 };
    assert.deepEqual(await backend.done("GET", "/users/ada/unread"), wanted);
    assert.deepEqual(await backend.done("GET", "/users/nobody/unread"), { rooms: {}, total: 0 });
  });
});

describe("a user with a token", () => {
  test("sees of other users the list entry, and of themselves all details", async (t) => {
    const { server, backend } = await open(t, { ...JWT, "rooms.open": "tea" });
    const connect = async (user) => server.connect({ auth: { token: await token(user) } });
    const [ada, bob] = [await connect("ada"), await connect("bob")];
    for (const socket of [ada, bob]) await done(socket, "join-room", { room: "tea" });
    await backend.done("PUT", "/rooms/closed/users/ada");
    await done(bob, "send-message", { to: "ada", text: "psst" });
    const api = new Api(server, await token("ada"));
    const [me, other] = ["ada", "bob"].map((id) => ({ id, name: id, online: true }));
    assert.deepEqual(await api.done("GET", "/users"), { users: [me, other] });
    assert.deepEqual(await api.done("GET", "/users/bob"), other, "no rooms, no devices");
    const { rooms, devices, ...rest } = await api.done("GET", "/users/ada");
    assert.deepEqual(rest, me);
    assert.deepEqual(devices.map(({ socketId }) => socketId), [ada.id]);
    assert.deepEqual(rooms.map(({ room }) => room).sort(), ["dm:bob", "tea"], "none that she may not enter");
    assert.deepEqual(await api.done("GET", "/users/ada/unread"), { rooms: { "dm:bob": 1 }, total: 1 });
    assert.equal(await api.refused("GET", "/users/bob/unread"), "403 forbidden");
    assert.equal(await api.refused("GET", "/users/nobody"), "404 not-found");
    for (const user of ["ada", "bob"]) {
      assert.equal(await api.refused("POST", `/users/${user}/disconnect`), "403 forbidden");
      assert.equal(await api.refused("DELETE", `/users/${user}/devices/${ada.id}`), "403 forbidden");
    }
    assert.equal(await new Api(server).refused("GET", "/users"), "401 unauthorized");
  });
});

describe("in open mode", () => {
  test("a client cannot learn a socket id by claiming its user id", async (t) => {
    const { server, backend } = await open(t);
    const ada = await server.user("ada");
    const claimed = await server.request("/api/users/ada?userId=ada");
    assert.equal(claimed.status, 200);
    assert.deepEqual(JSON.parse(claimed.body).data, { id: "ada", name: "ada", online: true, rooms: [] });
    const { devices } = await backend.done("GET", "/users/ada");
    assert.deepEqual(devices.map(({ socketId }) => socketId), [ada.id]);
  });
});

describe("disconnecting", () => {
  test("disconnects all of a user's sockets, and official clients do not reconnect", async (t) => {
    const { server, backend } = await open(t);
    const options = { reconnection: true, reconnectionDelay: 1, reconnectionDelayMax: 1 };
    const devices = [];
    for (const generation of GENERATIONS) devices.push(await server.user("ada", { generation, ...options }));
    devices.push(await server.user("ada", { transports: ["polling"], ...options }));
    const bob = await server.user("bob");
    assert.deepEqual(await backend.done("POST", "/users/ada/disconnect"), { sockets: devices.length });
    for (const device of devices) {
      assert.equal(await once(device, "disconnect"), "io server disconnect");
      assert.equal(device.connected, false);
    }
    assert.deepEqual((await backend.done("GET", "/users/ada")).devices, []);
    assert.deepEqual(await backend.done("POST", "/users/ada/disconnect"), { sockets: 0 });
    assert.deepEqual(await backend.done("POST", "/users/nobody/disconnect"), { sockets: 0 });
    await done(bob, "list-rooms", {});
    devices[0].connect();
    await once(devices[0], "session");
    assert.equal(devices[0].recovered, false, "one who is asked to comes as somebody new");
  });

  test("ends the recovery of a disconnected socket too", async (t) => {
    const { server, backend } = await open(t);
    const ada = await server.user("ada");
    ada.io.engine.close();
    await server.logged({ message: "away", user: "ada" });
    assert.deepEqual(await backend.done("POST", "/users/ada/disconnect"), { sockets: 1 });
    ada.connect();
    await once(ada, "session");
    assert.equal(ada.recovered, false);
  });

  test("disconnects one device and not the others", async (t) => {
    const { server, backend } = await open(t);
    const [phone, desk] = [await server.user("ada"), await server.user("ada", { generation: 2 })];
    const bob = await server.user("bob");
    const device = (user, { id }) => `/users/${user}/devices/${part(id)}`;
    assert.equal(await backend.refused("DELETE", device("ada", bob)), "404 not-found", "it is another user's");
    assert.equal(await backend.refused("DELETE", device("ada", { id: "no/such" })), "404 not-found");
    assert.deepEqual(await backend.done("DELETE", device("ada", desk)), { sockets: 1 });
    assert.equal(await once(desk, "disconnect"), "io server disconnect");
    assert.deepEqual((await backend.done("GET", "/users/ada")).devices.map(({ socketId }) => socketId), [phone.id]);
    assert.equal(await backend.refused("DELETE", device("ada", { id: desk.session.socketId })), "404 not-found");
    for (const socket of [phone, bob]) await done(socket, "list-rooms", {});
  });
});

test("each needs its scope", async (t) => {
  const reader = newKey("reader", "users:read");
  const writer = newKey("writer", "users:write,rooms:read,messages:write");
  const server = await start(t, { ...reader.settings, ...writer.settings });
  const [read, write] = [new Api(server, reader.key), new Api(server, writer.key)];
  const ada = await server.user("ada");
  assert.equal(await read.refused("POST", "/users/ada/disconnect"), "403 forbidden");
  assert.equal(await read.refused("DELETE", `/users/ada/devices/${ada.id}`), "403 forbidden");
  for (const path of ["/users", "/users/ada", "/users/ada/unread"]) {
    assert.equal(await write.refused("GET", path), "403 forbidden", path);
    await read.done("GET", path);
  }
  assert.deepEqual(await write.done("DELETE", `/users/ada/devices/${ada.id}`), { sockets: 1 });
});
