// Online status and typing.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { done, established, fence, once, refused, start, untaken } from "./harness.js";

const user = (id) => ({ id, name: id });

/** The next change of a room, with users by id. */
async function change(socket, room = "lobby") {
  const { joined, left, userCount } = await once(socket, "presence-changed", (event) => event.room === room);
  return { joined: joined.map(({ id }) => id), left: left.map(({ id }) => id), userCount };
}

/** A user whose own arrival has been announced. */
async function settled(server, name) {
  const socket = await server.user(name);
  await once(socket, "presence-changed", ({ joined }) => joined.some(({ id }) => id === name));
  return socket;
}

describe("a session", () => {
  test("has the userId and name of auth or of the query", async (t) => {
    const server = await start(t);
    const given = { userId: "u-1", name: "Ada" };
    for (const options of [{ auth: given }, { query: given }, { generation: 2, auth: given }]) {
      assert.deepEqual((await server.connect(options)).session.user, { id: "u-1", name: "Ada" });
    }
    assert.deepEqual((await server.connect({ auth: { userId: "u-2" } })).session.user, user("u-2"));
    const both = await server.connect({ auth: { userId: "u-3" }, query: { userId: "u-4" } });
    assert.equal(both.session.user.id, "u-3", "auth goes first");
  });

  test("with a name only is one user, in any spelling of the name", async (t) => {
    const server = await start(t);
    const ids = [];
    for (const name of ["Ada Lovelace", "  ada   LOVELACE ", "\uff21da Lovelace"]) {
      ids.push((await server.connect({ auth: { name } })).session.user.id);
    }
    assert.deepEqual(ids, ["name:ada lovelace", "name:ada lovelace", "name:ada lovelace"]);
  });

  test("is the first event of a socket", async (t) => {
    const server = await start(t, { "limits.events-per-second": 0 });
    const noisy = await server.user("noisy");
    const listener = server.client({ auth: { userId: "ada" } });
    const heard = [];
    const { onevent } = listener;
    listener.onevent = (packet) => {
      heard.push(packet.data[0]);
      onevent.call(listener, packet);
    };
    listener.connect();
    while (!listener.connected) {
      await done(noisy, "send-message", { text: "noise" });
    }
    await once(listener, "session");
    await fence(noisy, listener);
    assert.equal(heard[0], "session");
    assert.equal(heard.filter((name) => name === "session").length, 1);
  });
});

describe("presence-changed", () => {
  test("names users who came online and, after the grace, who went offline", async (t) => {
    const server = await start(t, { "presence.grace": "200ms" });
    const bob = await settled(server, "bob");
    const ada = await server.user("ada");
    const event = await once(bob, "presence-changed");
    assert.deepEqual(event, { room: "lobby", joined: [user("ada")], left: [], userCount: 2 });
    const began = Date.now();
    ada.disconnect();
    assert.deepEqual(await once(bob, "presence-changed"), { room: "lobby", joined: [], left: [user("ada")], userCount: 1 });
    assert.ok(Date.now() - began >= 290, "the grace, and a burst of 100 ms");
  });

  test("counts several devices as one user", async (t) => {
    const server = await start(t, { "presence.grace": "1ms" });
    const bob = await settled(server, "bob");
    const devices = [await server.user("ada")];
    assert.deepEqual(await change(bob), { joined: ["ada"], left: [], userCount: 2 });
    devices.push(await server.user("ada"));
    // The departure with one device would be announced before that of a user who leaves later.
    const other = await server.user("cy");
    assert.deepEqual(await change(bob), { joined: ["cy"], left: [], userCount: 3 });
    for (const socket of [devices[0], other]) {
      const { id } = socket;
      socket.disconnect();
      await server.logged({ message: "disconnected", socket: id });
    }
    assert.deepEqual(await change(bob), { joined: [], left: ["cy"], userCount: 2 });
    devices[1].disconnect();
    assert.deepEqual(await change(bob), { joined: [], left: ["ada"], userCount: 1 });
  });

  test("does not announce a user who reconnects within the grace", async (t) => {
    const server = await start(t, { "presence.grace": "5s" });
    const bob = await settled(server, "bob");
    const [ada, cy] = [await server.user("ada"), await server.user("cy")];
    const known = new Set();
    while (known.size < 2) for (const id of (await change(bob)).joined) known.add(id);
    const { id } = ada;
    ada.disconnect();
    await server.logged({ message: "disconnected", socket: id });
    await server.user("dee");
    assert.deepEqual(await change(bob), { joined: ["dee"], left: [], userCount: 4 }, "still counted");
    await established(ada);
    cy.disconnect();
    assert.deepEqual(await change(bob), { joined: [], left: ["cy"], userCount: 3 });
  });

  test("does not announce guests", async (t) => {
    const server = await start(t, { "presence.grace": "1ms" });
    const bob = await settled(server, "bob");
    const guest = await server.connect();
    const { id } = guest;
    guest.disconnect();
    await server.logged({ message: "disconnected", socket: id });
    await server.connect();
    await server.user("cy");
    assert.deepEqual(await change(bob), { joined: ["cy"], left: [], userCount: 2 });
  });

  test("of a room is sent to the subscribers of the room", async (t) => {
    const server = await start(t);
    const [bob, eve] = [await settled(server, "bob"), await settled(server, "eve")];
    await done(bob, "join-room", { room: "den" });
    assert.deepEqual(await change(bob, "den"), { joined: ["bob"], left: [], userCount: 1 });
    const ada = await server.user("ada");
    await done(ada, "join-room", { room: "den" });
    assert.deepEqual(await change(bob, "den"), { joined: ["ada"], left: [], userCount: 2 });
    await done(ada, "leave-room", { room: "den" });
    assert.deepEqual(await change(bob, "den"), { joined: [], left: ["ada"], userCount: 1 }, "without a grace");
    await fence(ada, eve);
    assert.deepEqual(untaken(eve, "presence-changed").filter(([, { room }]) => room === "den"), []);
  });

  test("combines a burst: one event in 100 ms", async (t) => {
    const server = await start(t);
    const bob = await settled(server, "bob");
    const began = Date.now();
    await Promise.all(Array.from({ length: 30 }, (_, n) => server.user(`user ${n}`)));
    const came = [];
    let events = 0;
    while (came.length < 30) {
      came.push(...(await change(bob)).joined);
      events += 1;
    }
    assert.equal(new Set(came).size, 30);
    const most = Math.ceil((Date.now() - began) / 100) + 1;
    assert.ok(events <= most, `${events} events where ${most} would do`);
  });

  test("and the reply to join-room together are consistent, even for short visits", async (t) => {
    const server = await start(t);
    const [ada, bob, cy] = [await server.user("ada"), await server.user("bob"), await server.user("cy")];
    await done(ada, "join-room", { room: "den" });
    const { users } = await done(bob, "join-room", { room: "den" });
    await done(ada, "leave-room", { room: "den" });
    const here = new Set(users.map(({ id }) => id));
    const follow = async (until) => {
      for (let joined = []; !joined.includes(until); ) {
        const event = await change(bob, "den");
        ({ joined } = event);
        for (const id of joined) here.add(id);
        for (const id of event.left) here.delete(id);
      }
    };
    await follow("bob");
    await done(cy, "join-room", { room: "den" });
    await follow("cy");
    assert.deepEqual([...here].sort(), ["bob", "cy"]);
  });

  test("in a large room contains only the count, and typing is not forwarded", async (t) => {
    const server = await start(t, { "presence.max-room-size": 1 });
    const bob = await settled(server, "bob");
    const ada = await server.user("ada");
    assert.deepEqual(await change(bob), { joined: [], left: [], userCount: 2 });
    assert.equal(await done(ada, "typing", { room: "lobby", typing: true }), null);
    await fence(ada, bob);
    assert.deepEqual(untaken(bob, "typing"), []);
  });
});

describe("list-users", () => {
  test("contains online users, and offline ones with the time last seen", async (t) => {
    const server = await start(t, { "presence.grace": "1ms" });
    const bob = await settled(server, "bob");
    const ada = await server.user("ada");
    await done(ada, "join-room", { room: "den" });
    await done(bob, "join-room", { room: "den" });
    await once(bob, "presence-changed", ({ room, joined }) => room === "den" && joined.some(({ id }) => id === "bob"));
    const before = new Date().toISOString();
    ada.disconnect();
    await once(bob, "presence-changed", ({ room, left }) => room === "den" && left.some(({ id }) => id === "ada"));
    // Stored after Ada's time last seen, so that it must be stored too.
    await done(bob, "send-message", { room: "den" });
    const { users, userCount } = await done(bob, "list-users", { room: "den" });
    const [first, second] = users;
    assert.deepEqual([users.length, userCount], [2, 2]);
    assert.deepEqual(first, { ...user("bob"), online: true });
    assert.deepEqual({ id: second.id, name: second.name, online: second.online }, { ...user("ada"), online: false });
    assert.ok(second.lastSeen >= before && second.lastSeen <= new Date().toISOString(), second.lastSeen);
  });

  test("without a room means the whole server, without guests", async (t) => {
    const server = await start(t);
    const bob = await server.user("bob");
    await server.user("ada");
    await server.connect();
    for (const args of [[], [{}], [{ room: "lobby" }]]) {
      const { users, userCount } = await done(bob, "list-users", ...args);
      assert.deepEqual(users.map(({ id, online }) => [id, online]), [["ada", true], ["bob", true]]);
      assert.equal(userCount, 2);
    }
  });
});

describe("typing", () => {
  test("is sent to the other clients, and is not stored", async (t) => {
    const server = await start(t);
    const [ada, bob, eve] = [await server.user("ada"), await server.user("bob"), await server.user("eve")];
    for (const socket of [ada, bob]) await done(socket, "join-room", { room: "den" });
    assert.equal(await done(ada, "typing", { room: "den", typing: true }), null);
    assert.deepEqual(await once(bob, "typing"), { room: "den", user: user("ada"), typing: true });
    await done(ada, "typing", { room: "den", typing: false });
    assert.deepEqual(await once(bob, "typing"), { room: "den", user: user("ada"), typing: false });
    await fence(ada, ada, eve);
    for (const socket of [ada, eve]) assert.deepEqual(untaken(socket, "typing"), []);
    assert.deepEqual((await done(ada, "load-messages", { room: "den" })).messages, []);
  });

  test("stops by itself after five seconds, once", async (t) => {
    const server = await start(t);
    const [ada, bob] = [await server.user("ada"), await server.user("bob")];
    const began = Date.now();
    await done(ada, "typing", { room: "lobby", typing: true });
    await once(bob, "typing", ({ typing }) => typing);
    assert.deepEqual(await once(bob, "typing"), { room: "lobby", user: user("ada"), typing: false });
    assert.ok(Date.now() - began >= 4_900, `after ${Date.now() - began} ms`);
    await fence(ada, ada, bob);
    for (const socket of [ada, bob]) assert.deepEqual(untaken(socket, "typing"), []);
  });

  test("stops when the user disconnects", async (t) => {
    const server = await start(t);
    const [ada, bob] = [await server.user("ada"), await server.user("bob")];
    const began = Date.now();
    await done(ada, "typing", { room: "lobby", typing: true });
    ada.disconnect();
    assert.equal((await once(bob, "typing")).typing, true);
    assert.equal((await once(bob, "typing")).typing, false);
    assert.ok(Date.now() - began < 4_900, "before it would have expired");
  });

  test("in a direct message is sent only to the other user", async (t) => {
    const server = await start(t);
    const [ada, bob, eve] = [await server.user("ada"), await server.user("bob"), await server.user("eve")];
    await done(ada, "typing", { room: "dm:bob", typing: true });
    assert.deepEqual(await once(bob, "typing"), { room: "dm:ada", user: user("ada"), typing: true });
    await fence(ada, ada, eve);
    for (const socket of [ada, eve]) assert.deepEqual(untaken(socket, "typing"), []);
  });

  test("requires membership of the room", async (t) => {
    const server = await start(t);
    const ada = await server.user("ada");
    assert.equal(await refused(ada, "typing", { room: "den", typing: true }), "forbidden");
  });
});
