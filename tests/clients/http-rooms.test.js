// The HTTP API's rooms: listing rooms and their users, adding users and removing them.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { newKey } from "./api.js";
import { Api, JWT, token } from "./backend.js";
import { done, fence, once, refused, start, untaken } from "./harness.js";

/** A server and a backend with a key. */
async function open(t, settings = {}) {
  const { key, settings: known } = newKey();
  const server = await start(t, { ...known, ...settings });
  return { server, backend: new Api(server, key) };
}

const enter = (socket, room) => done(socket, "join-room", { room });
const names = ({ rooms }) => rooms.map(({ room }) => room);
const people = ({ users }) => users.map(({ id }) => id);
const part = encodeURIComponent;

const has = (users, user) => users.some(({ id }) => id === user);
const comes = (socket, user, where) =>
  once(socket, "presence-changed", ({ room, joined }) => room === where && has(joined, user));
const goes = (socket, user, where) =>
  once(socket, "presence-changed", ({ room, left }) => room === where && has(left, user));

/** All pages of a list, as `[[...], [...]]`. */
async function pages(api, path, list) {
  const found = [];
  let next;
  do {
    const page = await api.done("GET", next === undefined ? path : `${path}&after=${part(next)}`);
    found.push(list(page));
    next = page.next;
  } while (next !== undefined);
  return found;
}

describe("the list of rooms", () => {
  test("counts messages, members and online users", async (t) => {
    const { server, backend } = await open(t);
    const [ada, bob] = [await server.user("ada"), await server.user("bob")];
    for (const socket of [ada, bob]) await enter(socket, "tea");
    await done(ada, "send-message", { room: "tea", text: "hello" });
    const { id } = await done(ada, "send-message", { room: "tea", text: "oops" });
    await done(ada, "delete-message", { id });
    await backend.done("POST", "/messages", { from: { id: "eve" }, room: "tea", body: {} }, 201);
    const tea = { room: "tea", head: { offset: 3, revision: 4 }, memberCount: 3, onlineCount: 2 };
    assert.deepEqual(await backend.done("GET", "/rooms/tea"), tea);
    const { rooms } = await backend.done("GET", "/rooms");
    assert.deepEqual(rooms, [{ room: "lobby", head: { offset: 0, revision: 0 }, memberCount: 0, onlineCount: 2 }, tea]);
    await done(bob, "leave-room", { room: "tea" });
    assert.deepEqual(await backend.done("GET", "/rooms/tea"), { ...tea, memberCount: 2, onlineCount: 1 });
  });

  test("is paged by name, without direct messages", async (t) => {
    const { server, backend } = await open(t);
    const ada = await server.user("ada");
    await done(ada, "send-message", { to: "bob", text: "psst" });
    await done(ada, "send-message", { to: "ada", text: "note" });
    const all = ["a b", "b%2F/c?d", "tea", "tea-2", "tea-3", "team", "é", "日本", "🫖"];
    for (const room of all) await done(ada, "send-message", { room, text: "here" });
    const found = await pages(backend, "/rooms?limit=4", names);
    assert.deepEqual(found, [["a b", "b%2F/c?d", "lobby", "tea"], ["tea-2", "tea-3", "team", "é"], ["日本", "🫖"]]);
    assert.deepEqual(await pages(backend, "/rooms?prefix=tea&limit=2", names), [["tea", "tea-2"], ["tea-3", "team"]]);
    assert.deepEqual(await pages(backend, "/rooms?prefix=tea&after=tea-2", names), [["tea-3", "team"]]);
    assert.deepEqual(names(await backend.done("GET", "/rooms?prefix=tea&after=b")), ["tea", "tea-2", "tea-3", "team"]);
    for (const query of ["prefix=zzz", "after=🫖", "prefix=dm:", "prefix=tea&after=z"]) {
      assert.deepEqual(await backend.done("GET", `/rooms?${encodeURI(query)}`), { rooms: [] }, query);
    }
    assert.equal(names(await backend.done("GET", "/rooms?limit=500")).length, all.length + 1);
    for (const room of all) assert.equal((await backend.done("GET", `/rooms/${part(room)}`)).room, room);
    for (const query of ["limit=0", "limit=x", "prefix=%01", "prefix=%01dm:", "after=%01dm:3:ada:bob", "after=dm:bob"]) {
      assert.equal(await backend.refused("GET", `/rooms?${query}`), "400 bad-payload", query);
    }
  });

  test("contains rooms with sockets, and no rooms without sockets and stored data", async (t) => {
    const { server, backend } = await open(t);
    const guest = await server.connect();
    await enter(guest, "only-guests");
    const tea = await backend.done("GET", "/rooms/only-guests");
    assert.deepEqual(tea, { room: "only-guests", head: { offset: 0, revision: 0 }, memberCount: 0, onlineCount: 0 });
    const ada = await server.user("ada");
    await enter(ada, "left");
    assert.deepEqual(names(await backend.done("GET", "/rooms")), ["left", "lobby", "only-guests"]);
    assert.deepEqual(await pages(backend, "/rooms?prefix=only-&limit=1", names), [["only-guests"]]);
    await done(ada, "leave-room", { room: "left" });
    await done(guest, "leave-room", { room: "only-guests" });
    assert.deepEqual(names(await backend.done("GET", "/rooms")), ["lobby"]);
    for (const room of ["left", "only-guests", "unheard-of"]) {
      assert.equal(await backend.refused("GET", `/rooms/${room}`), "404 not-found");
      assert.equal(await backend.refused("GET", `/rooms/${room}/users`), "404 not-found");
    }
    for (const room of ["dm:bob", "%01dm:3:ada:bob", "%01", "x".repeat(129), "%FF"]) {
      assert.equal(await backend.refused("GET", `/rooms/${room}`), "400 bad-payload", room);
      assert.equal(await backend.refused("GET", `/rooms/${room}/users`), "400 bad-payload", room);
    }
  });

  test("shows a user the rooms they may enter", async (t) => {
    const { server, backend } = await open(t, { ...JWT, "rooms.open": "public-*" });
    for (const room of ["public-1", "team-7", "team-8", "lobby"]) {
      await backend.done("POST", "/messages", { room, body: {} }, 201);
    }
    const ada = new Api(server, await token("ada", "team-7"));
    assert.deepEqual(await pages(ada, "/rooms?limit=1", names), [["lobby"], ["public-1"], ["team-7"]]);
    assert.equal((await ada.done("GET", "/rooms/team-7")).head.offset, 1);
    assert.deepEqual(people(await ada.done("GET", "/rooms/team-7/users")), []);
    for (const room of ["team-8", "unheard-of"]) {
      assert.equal(await ada.refused("GET", `/rooms/${room}`), "403 forbidden");
      assert.equal(await ada.refused("GET", `/rooms/${room}/users`), "403 forbidden");
    }
  });
});

test("a page of rooms is limited in work, and contains the cursor of the next one", async (t) => {
  const { server, backend } = await open(t, { ...JWT, "api.requests-per-second": 0 });
  const closed = Array.from({ length: 1_001 }, (_, n) => `a${String(n).padStart(4, "0")}`);
  for (let n = 0; n < closed.length; n += 50) {
    const post = (room) => backend.done("POST", "/messages", { room, body: {} }, 201);
    await Promise.all(closed.slice(n, n + 50).map(post));
  }
  await backend.done("POST", "/messages", { room: "z", body: {} }, 201);
  const ada = new Api(server, await token("ada", "z", "a0003"));
  const page = await ada.done("GET", "/rooms?limit=1");
  assert.deepEqual([names(page), page.next], [["a0003"], "a0999"], "none of the others is hers to see");
  assert.deepEqual(names(await ada.done("GET", `/rooms?after=${page.next}`)), ["z"]);
});

describe("the users of a room", () => {
  test("are its members and online users, in pages", async (t) => {
    const { server, backend } = await open(t);
    for (let n = 0; n < 120; n += 1) {
      const id = `m${String(n).padStart(3, "0")}`;
      await backend.done("PUT", `/rooms/big/users/${id}`);
    }
    const socket = await server.connect({ auth: { userId: "m007", name: "Bond" } });
    await enter(socket, "big");
    const elsewhere = await server.connect({ auth: { userId: "m008", name: "Eight" } });
    const everyone = await pages(backend, "/rooms/big/users?limit=50", ({ users }) => users);
    assert.deepEqual(everyone.map((page) => page.length), [50, 50, 20]);
    const found = everyone.flat();
    assert.equal(new Set(found.map(({ id }) => id)).size, 120);
    assert.deepEqual(found[7], { id: "m007", name: "Bond", online: true, member: true, present: true });
    assert.deepEqual(found[8], { id: "m008", name: "Eight", online: true, member: true, present: false });
    assert.deepEqual(found[9], { id: "m009", name: "m009", online: false, member: true, present: false });
    assert.equal((await backend.done("GET", "/rooms/big/users?limit=200")).users.length, 120);
    assert.deepEqual(await backend.done("GET", "/rooms/big/users?after=m118"), { users: [found[119]] });
    assert.deepEqual(await backend.done("GET", "/rooms/big/users?after=z"), { users: [] });
    const lobby = await backend.done("GET", "/rooms/lobby/users?limit=1");
    assert.deepEqual(lobby.users, [{ id: "m007", name: "Bond", online: true, member: false, present: true }]);
    assert.equal(lobby.next, "m007");
    for (const query of ["limit=0", "after=%01"]) {
      assert.equal(await backend.refused("GET", `/rooms/big/users?${query}`), "400 bad-payload", query);
    }
    elsewhere.disconnect();
    await goes(socket, "m008", "lobby");
    const [{ lastSeen }] = (await backend.done("GET", "/rooms/big/users?after=m007&limit=1")).users;
    assert.match(lastSeen, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  });
});

describe("adding a user to a room", () => {
  test("subscribes all their devices, like join-room", async (t) => {
    const { server, backend } = await open(t);
    const eve = await server.user("eve");
    await enter(eve, "tea");
    const devices = [await server.user("ada"), await server.user("ada", { generation: 2 })];
    assert.deepEqual(await backend.done("PUT", "/rooms/tea/users/ada"), { joined: true, sockets: 2 });
    assert.equal((await comes(eve, "ada", "tea")).userCount, 2);
    await done(eve, "send-message", { room: "tea", text: "welcome" });
    for (const device of devices) assert.equal((await once(device, "message-saved")).message.body.text, "welcome");
    assert.deepEqual((await done(devices[0], "list-rooms", {})).rooms.map(({ room }) => room), ["tea"]);
    assert.deepEqual(await backend.done("PUT", "/rooms/tea/users/ada"), { joined: false, sockets: 0 }, "again changes nothing");
    const { users } = await backend.done("GET", "/rooms/tea/users");
    assert.deepEqual(users[0], { id: "ada", name: "ada", online: true, member: true, present: true });
  });

  test("counts a device once, even if it joins too", async (t) => {
    const { server, backend } = await open(t, { "presence.grace": "0s" });
    const eve = await server.user("eve");
    await enter(eve, "tea");
    const ada = await server.user("ada");
    await backend.done("PUT", "/rooms/tea/users/ada");
    await enter(ada, "tea");
    ada.disconnect();
    await goes(eve, "ada", "tea");
    assert.equal((await backend.done("GET", "/rooms/tea")).onlineCount, 1);
  });

  test("includes a disconnected device, which is subscribed when it is recovered", async (t) => {
    const { server, backend } = await open(t);
    const eve = await server.user("eve");
    await enter(eve, "tea");
    const ada = await server.user("ada");
    ada.io.engine.close();
    await server.logged({ message: "away", user: "ada" });
    assert.deepEqual(await backend.done("PUT", "/rooms/tea/users/ada"), { joined: true, sockets: 1 });
    assert.equal((await backend.done("GET", "/rooms/tea")).onlineCount, 1);
    await done(eve, "send-message", { room: "tea", text: "while you were away" });
    ada.connect();
    assert.equal((await once(ada, "message-saved")).message.body.text, "while you were away");
    assert.equal(ada.recovered, true);
    await server.logged({ message: "back", user: "ada" });
    await comes(eve, "ada", "tea");
    assert.equal((await backend.done("GET", "/rooms/tea")).onlineCount, 2);
  });

  test("observes the limits, and refuses the system user", async (t) => {
    const { server, backend } = await open(t, { "limits.rooms-per-user": 2 });
    await backend.done("PUT", "/rooms/one/users/ada");
    await backend.done("PUT", "/rooms/two/users/ada");
    assert.equal(await backend.refused("PUT", "/rooms/three/users/ada"), "403 forbidden");
    assert.equal(await backend.refused("PUT", "/rooms/one/users/system"), "400 bad-payload");
    for (const path of ["a%01/users/ada", "one/users/a%01b", "dm:bob/users/ada", "%01dm:3:ada:bob/users/ada"]) {
      for (const method of ["PUT", "DELETE"]) {
        assert.equal(await backend.refused(method, `/rooms/${path}`), "400 bad-payload", path);
      }
    }
    const guest = await server.connect({ auth: { userId: "guest-7" } });
    assert.deepEqual(await backend.done("PUT", "/rooms/tea/users/guest-7"), { joined: false, sockets: 1 });
    await backend.done("POST", "/messages", { room: "tea", body: { text: "to guests too" } }, 201);
    assert.equal((await once(guest, "message-saved")).message.body.text, "to guests too");
    assert.equal((await backend.done("GET", "/rooms/tea")).memberCount, 0);
  });

  test("is refused for a room that the user's token does not open", async (t) => {
    const { server, backend } = await open(t, JWT);
    const ada = await server.connect({ auth: { token: await token("ada", "team-7") } });
    assert.deepEqual(await backend.done("PUT", "/rooms/team-7/users/ada"), { joined: true, sockets: 1 });
    assert.deepEqual(await backend.done("PUT", "/rooms/team-8/users/ada"), { joined: true, sockets: 0 });
    await backend.done("POST", "/messages", { room: "team-8", body: {} }, 201);
    await backend.done("POST", "/messages", { room: "team-7", body: {} }, 201);
    assert.equal((await once(ada, "message-saved")).message.room, "team-7");
    assert.equal(await refused(ada, "load-messages", { room: "team-8" }), "forbidden");
  });
});

describe("removing a user from a room", () => {
  test("ends the membership on all devices, like leave-room", async (t) => {
    const { server, backend } = await open(t);
    const [eve, ada, v2] = [await server.user("eve"), await server.user("ada"), await server.user("ada", { generation: 2 })];
    for (const socket of [eve, ada, v2]) await enter(socket, "tea");
    await comes(eve, "ada", "tea");
    assert.equal(await backend.done("DELETE", "/rooms/tea/users/ada"), null);
    await goes(eve, "ada", "tea");
    await done(eve, "send-message", { room: "tea", text: "among us" });
    await fence(eve, ada, v2);
    for (const socket of [ada, v2]) assert.deepEqual(untaken(socket, "message-saved"), []);
    assert.deepEqual((await done(ada, "list-rooms", {})).rooms, []);
    assert.equal((await backend.done("GET", "/rooms/tea")).memberCount, 1);
    assert.equal(await backend.done("DELETE", "/rooms/tea/users/ada"), null, "again is no error");
    assert.equal(await backend.done("DELETE", "/rooms/unheard-of/users/ada"), null);
    assert.equal(await backend.refused("DELETE", "/rooms/lobby/users/ada"), "403 forbidden");
  });
});

test("each needs its scope, and users have none", async (t) => {
  const reader = newKey("reader", "rooms:read");
  const writer = newKey("writer", "rooms:write,messages:read,users:read");
  const server = await start(t, { ...reader.settings, ...writer.settings });
  const [read, write] = [new Api(server, reader.key), new Api(server, writer.key)];
  await write.done("PUT", "/rooms/tea/users/ada");
  for (const api of [read, new Api(server)]) {
    assert.equal(await api.refused("PUT", "/rooms/tea/users/bob?userId=ada"), "403 forbidden");
    assert.equal(await api.refused("DELETE", "/rooms/tea/users/ada?userId=ada"), "403 forbidden");
  }
  for (const path of ["/rooms", "/rooms/tea", "/rooms/tea/users"]) {
    assert.equal(await write.refused("GET", path), "403 forbidden", path);
    await read.done("GET", path);
    await new Api(server).done("GET", `${path}?userId=ada`);
  }
});
