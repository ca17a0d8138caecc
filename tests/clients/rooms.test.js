// Rooms: memberships, direct messages, read marks and unread counts.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { ask, done, fence, once, refused, start, untaken } from "./harness.js";

/** The entry of one room in a user's list of rooms. */
async function membership(socket, room) {
  const { rooms } = await done(socket, "list-rooms", {});
  return rooms.find((entry) => entry.room === room);
}

describe("a room", () => {
  test("reaches exactly the sockets that joined it", async (t) => {
    const server = await start(t);
    const [ada, tab, bob] = [await server.user("ada"), await server.user("ada"), await server.user("bob")];
    await done(ada, "join-room", { room: "den" });
    const message = await done(bob, "send-message", { room: "den" });
    assert.deepEqual((await once(ada, "message-saved")).message, message);
    await fence(bob, tab, bob);
    assert.deepEqual(untaken(tab, "message-saved"), [], "another tab of the same user has not joined");
    assert.deepEqual(untaken(bob, "message-saved"), [], "its sender has not joined either");
  });

  test("is joined with a reply that lists its users", async (t) => {
    const server = await start(t);
    const [ada, bob] = [await server.user("ada"), await server.user("bob")];
    const first = await done(bob, "join-room", { room: "den" });
    assert.deepEqual(Object.keys(first).sort(), ["head", "messages", "more", "reset", "room", "userCount", "users"]);
    assert.deepEqual(first.users, [{ id: "bob", name: "bob", online: true }]);
    const second = await done(ada, "join-room", { room: "den" });
    assert.deepEqual(second.users.map(({ id }) => id), ["ada", "bob"]);
    assert.equal(second.userCount, 2);
  });

  test("is left by all sockets of the user, and the membership ends", async (t) => {
    const server = await start(t);
    const [ada, tab, bob] = [await server.user("ada"), await server.user("ada"), await server.user("bob")];
    for (const socket of [ada, tab, bob]) await done(socket, "join-room", { room: "den" });
    assert.equal(await done(ada, "leave-room", { room: "den" }), null);
    await done(bob, "send-message", { room: "den" });
    await once(bob, "message-saved");
    await fence(bob, ada, tab);
    for (const socket of [ada, tab]) assert.deepEqual(untaken(socket, "message-saved"), []);
    assert.equal(await membership(tab, "den"), undefined);
    assert.equal(await done(ada, "leave-room", { room: "den" }), null, "again is no error");
    assert.equal(await done(ada, "leave-room", { room: "never joined" }), null);
  });

  test("called the lobby cannot be left", async (t) => {
    const server = await start(t);
    const [ada, bob] = [await server.user("ada"), await server.user("bob")];
    assert.equal(await refused(ada, "leave-room", { room: "lobby" }), "forbidden");
    await done(bob, "send-message", { text: "still here?" });
    await once(ada, "message-saved");
  });

  test("called lobby is an ordinary room if rooms.lobby is another one", async (t) => {
    const server = await start(t, { "rooms.lobby": "hall" });
    const ada = await server.user("ada");
    assert.deepEqual(ada.session.rooms, ["hall"]);
    assert.equal((await done(ada, "send-message", {})).room, "hall");
    assert.equal(await refused(ada, "leave-room", { room: "hall" }), "forbidden");
    assert.equal(await done(ada, "leave-room", { room: "lobby" }), null);
  });

  test("may be named by a configured payload field", async (t) => {
    const server = await start(t, { "rooms.room-field": "channel" });
    const [ada, bob] = [await server.user("ada"), await server.user("bob")];
    await done(bob, "join-room", { room: "den" });
    const message = await done(ada, "send-message", { channel: "den", text: "x" });
    assert.equal(message.room, "den");
    assert.deepEqual(message.body, { channel: "den", text: "x" }, "the field stays in the body");
    assert.deepEqual((await once(bob, "message-saved")).message, message);
    assert.equal((await done(ada, "send-message", { room: "attic", channel: "den" })).room, "attic");
  });
});

describe("list-rooms", () => {
  test("contains the memberships with head, read and unread", async (t) => {
    const server = await start(t);
    const [ada, bob] = [await server.user("ada"), await server.user("bob")];
    await done(ada, "join-room", { room: "den" });
    assert.deepEqual((await done(ada, "list-rooms", {})).rooms, [
      { room: "den", head: { offset: 0, revision: 0 }, read: 0, unread: 0 },
    ]);
    const { id } = await done(bob, "send-message", { room: "den" });
    await done(bob, "edit-message", { id, text: "x" });
    await done(bob, "send-message", { room: "den" });
    await done(ada, "send-message", { room: "den" });
    const den = await membership(ada, "den");
    assert.deepEqual(den, { room: "den", head: { offset: 3, revision: 4 }, read: 0, unread: 2 }, "one's own is not unread");
    assert.deepEqual(await done(ada, "mark-read", { room: "den", offset: 1 }), { room: "den", offset: 1 });
    assert.deepEqual(await membership(ada, "den"), { ...den, read: 1, unread: 1 });
    assert.equal((await membership(bob, "den")).unread, 1, "another's marks are their own");
  });

  test("contains a room from the first message on, across connections and restarts", async (t) => {
    const server = await start(t);
    const ada = await server.user("ada");
    await done(ada, "send-message", { room: "den" });
    assert.equal((await membership(ada, "den")).head.offset, 1);
    ada.disconnect();
    assert.equal((await membership(await server.user("ada"), "den")).head.offset, 1);
    await server.kill();
    await server.start();
    assert.equal((await membership(await server.user("ada"), "den")).head.offset, 1);
  });

  test("is empty for guests, whose memberships are not stored", async (t) => {
    const server = await start(t);
    const guest = await server.connect();
    await done(guest, "join-room", { room: "den" });
    await done(guest, "send-message", { room: "den" });
    assert.deepEqual(await done(guest, "list-rooms", {}), { rooms: [] });
    assert.deepEqual(await ask(guest, "list-rooms"), { success: true, data: { rooms: [] } }, "without a payload too");
  });

  test("shows the rooms with the newest messages first", async (t) => {
    const server = await start(t);
    const ada = await server.user("ada");
    for (const room of ["a", "b", "c", "a"]) await done(ada, "send-message", { room });
    // Rooms are sorted by milliseconds; with equal times, any order is correct.
    const { rooms } = await done(ada, "list-rooms", {});
    const newest = await Promise.all(
      rooms.map(async ({ room }) => (await done(ada, "load-messages", { room })).messages.at(-1).at),
    );
    assert.equal(rooms.length, 3);
    assert.deepEqual(newest, [...newest].sort().reverse());
  });
});

describe("mark-read", () => {
  test("is sent only to the reader's own sockets in a room", async (t) => {
    const server = await start(t);
    const [ada, tab, bob] = [await server.user("ada"), await server.user("ada"), await server.user("bob")];
    for (const socket of [ada, bob]) await done(socket, "join-room", { room: "den" });
    await done(bob, "send-message", { room: "den" });
    await done(ada, "mark-read", { room: "den", offset: 1 });
    for (const socket of [ada, tab]) {
      assert.deepEqual(await once(socket, "message-read"), { room: "den", offset: 1, user: "ada" });
    }
    await fence(ada, bob);
    assert.deepEqual(untaken(bob, "message-read"), []);
  });

  test("never moves back nor beyond the newest message", async (t) => {
    const server = await start(t);
    const [ada, bob] = [await server.user("ada"), await server.user("bob")];
    for (let n = 0; n < 3; n += 1) await done(bob, "send-message", { room: "den" });
    await done(ada, "join-room", { room: "den" });
    assert.equal((await done(ada, "mark-read", { room: "den", offset: 99 })).offset, 3);
    assert.equal((await once(ada, "message-read")).offset, 3);
    assert.equal((await done(ada, "mark-read", { room: "den", offset: 1 })).offset, 3);
    await fence(ada, ada);
    assert.deepEqual(untaken(ada, "message-read"), [], "what does not move is not told");
    assert.equal((await membership(ada, "den")).read, 3);
  });

  test("in a direct message is sent to the other user too", async (t) => {
    const server = await start(t);
    const [ada, bob, eve] = [await server.user("ada"), await server.user("bob"), await server.user("eve")];
    await done(ada, "send-message", { to: "bob" });
    assert.deepEqual(await done(bob, "mark-read", { room: "dm:ada", offset: 1 }), { room: "dm:ada", offset: 1 });
    assert.deepEqual(await once(bob, "message-read"), { room: "dm:ada", offset: 1, user: "bob" });
    assert.deepEqual(await once(ada, "message-read"), { room: "dm:bob", offset: 1, user: "bob" });
    await fence(bob, eve);
    assert.deepEqual(untaken(eve, "message-read"), []);
  });
});

describe("a direct message", () => {
  test("reaches exactly the sockets of both users, under the other's id", async (t) => {
    const server = await start(t);
    const [ada, adaTab] = [await server.user("ada"), await server.user("ada")];
    const [bob, bobTab] = [await server.user("bob"), await server.user("bob")];
    const eve = await server.user("eve");
    const message = await done(ada, "send-message", { to: "bob", text: "psst" });
    assert.equal(message.room, "dm:bob");
    assert.deepEqual(message.body, { text: "psst" });
    for (const socket of [ada, adaTab]) assert.deepEqual((await once(socket, "message-saved")).message, message);
    for (const socket of [bob, bobTab]) {
      assert.deepEqual((await once(socket, "message-saved")).message, { ...message, room: "dm:ada" });
    }
    const answer = await done(bob, "send-message", { room: "dm:ada", text: "yes?" });
    assert.deepEqual([answer.room, answer.offset], ["dm:ada", 2], "it is one room for both");
    assert.equal((await once(ada, "message-saved")).message.room, "dm:bob");
    await fence(bob, eve);
    assert.deepEqual(untaken(eve, "message-saved"), []);
  });

  test("is listed, paged, edited and deleted in each reader's view", async (t) => {
    const server = await start(t);
    const [ada, bob] = [await server.user("ada"), await server.user("bob")];
    const { id } = await done(ada, "send-message", { to: "bob", text: "psst" });
    assert.deepEqual(await membership(bob, "dm:ada"), {
      room: "dm:ada",
      head: { offset: 1, revision: 1 },
      read: 0,
      unread: 1,
      with: { id: "ada", name: "ada" },
    });
    assert.deepEqual((await membership(ada, "dm:bob")).with, { id: "bob", name: "bob" });
    assert.equal((await done(bob, "load-messages", { room: "dm:ada" })).messages[0].room, "dm:ada");
    const joined = await done(bob, "join-room", { room: "dm:ada", since: 0 });
    assert.deepEqual([joined.room, joined.messages[0].room], ["dm:ada", "dm:ada"]);
    await done(ada, "edit-message", { id, text: "hey" });
    assert.equal((await once(ada, "message-edited")).message.room, "dm:bob");
    assert.equal((await once(bob, "message-edited")).message.room, "dm:ada");
    await done(ada, "delete-message", { id });
    assert.equal((await once(ada, "message-deleted")).message.room, "dm:bob");
    assert.equal((await once(bob, "message-deleted")).message.room, "dm:ada");
  });

  test("of two other users cannot be reached under any name", async (t) => {
    const server = await start(t);
    const [ada, eve] = [await server.user("ada"), await server.user("eve")];
    await done(ada, "send-message", { to: "bob", text: "psst" });
    for (const room of ["dm:ada", "dm:bob", "dm:ada:bob", "dm:3:ada:bob", "dm:dm:ada"]) {
      const { messages, head } = await done(eve, "join-room", { room, since: 0 });
      assert.deepEqual([messages, head.offset], [[], 0], room);
    }
    await done(ada, "send-message", { to: "bob", text: "psst again" });
    await fence(ada, eve);
    assert.deepEqual(untaken(eve, "message-saved"), []);
  });

  test("is stored for a user who is offline", async (t) => {
    const server = await start(t);
    const ada = await server.user("ada");
    const message = await done(ada, "send-message", { to: "bob", text: "later" });
    const bob = await server.user("bob");
    const { messages } = await done(bob, "load-messages", { room: "dm:ada" });
    assert.deepEqual(messages, [{ ...message, room: "dm:ada" }]);
  });

  test("to oneself is one message", async (t) => {
    const server = await start(t);
    const ada = await server.user("ada");
    const message = await done(ada, "send-message", { to: "ada", text: "note" });
    assert.equal(message.room, "dm:ada");
    assert.deepEqual((await once(ada, "message-saved")).message, message);
    await fence(ada, ada);
    assert.deepEqual(untaken(ada, "message-saved"), []);
  });
});

test("a room with U+0001 or another control character is refused in every event", async (t) => {
  const server = await start(t, {
    "limits.events-per-second": 0,
    "rooms.room-field": "channel",
    "rooms.recipient-field": "receiverId",
    "relay.message.to": "everyone",
    "relay.nudge.to": "room",
    "relay.nudge.field": "room",
    "relay.poke.to": "user",
    "relay.poke.argument": 0,
  });
  const ada = await server.user("ada");
  for (const room of ["\u0001", "\u0001user:bob", "\u0001dm:3:ada:bob", "den\u0001", "dm:\u0001", "dm:bob\u0001", "a\u0000", "a\u007f", "a\u0085"]) {
    const events = [
      ["send-message", { room }],
      ["send-message", { channel: room }],
      ["send-message", { to: room }],
      ["send-message", { receiverId: room }],
      ["join-room", { room }],
      ["leave-room", { room }],
      ["load-messages", { room }],
      ["list-users", { room }],
      ["mark-read", { room, offset: 1 }],
      ["typing", { room, typing: true }],
      ["nudge", { room }],
      ["poke", room],
    ];
    for (const [event, payload] of events) {
      assert.equal(await refused(ada, event, payload), "bad-payload", `${event} ${JSON.stringify(payload)}`);
    }
  }
  for (const auth of [{ userId: "\u0001" }, { userId: "a\u0001b" }, { name: "a\u0001b" }, { userId: "x".repeat(129) }]) {
    assert.equal(await server.refusal({ auth }), "bad-payload");
  }
});
