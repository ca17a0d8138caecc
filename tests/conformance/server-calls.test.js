// Calls of Node's server API about rooms and sockets, beside those of server-api.test.js.

import assert from "node:assert/strict";
import { test } from "node:test";

import { conformance, FORGETFUL } from "./harness.js";
import { connect, join, WAYS } from "./session.js";

const NAMESPACE = "/calls";

conformance("server calls", FORGETFUL, (server) => {
  for (const way of WAYS.filter(({ eio }) => eio === 4)) {
    const over = `over ${way.transport}`;
    let number = 0;
    const unique = (text) => `${text}-${way.transport}-${number++}`;
    const client = () => connect(server, { ...way, namespace: NAMESPACE });

    /** Waits until the server has processed everything, and asserts that it sent nothing. */
    const isQuiet = async (socket) => assert.deepEqual(await socket.ask("connected"), [true]);

    /** Sockets, of which the nth has joined the nth list of rooms. */
    async function members(...lists) {
      const sockets = [];
      for (const rooms of lists) {
        const socket = await client();
        for (const room of rooms) await socket.ask("join", room);
        sockets.push(socket);
      }
      return sockets;
    }

    /** The sockets that the disconnect handler of this one has found in its room. */
    async function goneFrom(watcher, { id }, reason, rooms) {
      for (;;) {
        const { type, data } = await watcher.next();
        if (type === "ACK" || data[1] !== id) continue;
        assert.deepEqual(data.slice(0, 5), ["gone", id, reason, false, rooms]);
        return data[5];
      }
    }

    test(`${over}: leaving all rooms at once`, async () => {
      const rooms = [unique("b"), unique("a")].sort();
      const [socket] = await members(rooms);
      assert.deepEqual(await socket.ask("rooms"), [rooms]);
      await socket.ask("leave-all");
      assert.deepEqual(await socket.ask("rooms"), [[]]);
      await socket.ask("join", rooms[0]);
      assert.deepEqual(await socket.ask("rooms"), [rooms.slice(0, 1)]);
    });

    test(`${over}: an emit to the root namespace reaches its sockets, from another one`, async () => {
      const socket = await client();
      const main = await join(socket.session, "/");
      const other = await connect(server, way);
      const text = unique("root");
      await socket.session.send(...socket.event(["emit-to-root", text], 9));
      for (const each of [main, other]) await each.receives("said", text);
      assert.equal((await socket.next()).id, 9);
    });

    // Over polling it is lost unless a poll waits.
    if (way.transport === "websocket") {
      test(`${over}: a volatile emit to one socket`, async () => {
        const socket = await client();
        await socket.session.send(...socket.event(["emit-volatile", "now"], 1));
        await socket.receives("said", "now");
        assert.equal((await socket.next()).id, 1);
      });
    }

    test(`${over}: a local emit`, async () => {
      const room = unique("room");
      const [socket, other] = await members([], [room]);
      await socket.ask("emit-local", room, "here");
      await other.receives("said", "here");
    });

    test(`${over}: all but some rooms and the sender`, async () => {
      const [one, two] = [unique("one"), unique("two")];
      const [sender, first, second, both, none] = await members([], [one], [two], [one, two], []);
      await sender.ask("emit-except", [one, two], "rest");
      await none.receives("said", "rest");
      for (const each of [first, second, both]) await isQuiet(each);
    });

    test(`${over}: several rooms, each socket once`, async () => {
      const [one, two] = [unique("one"), unique("two")];
      const [sender, first, second, both, none] = await members([one], [one], [two], [one, two], []);
      await sender.session.send(...sender.event(["emit-to-many", [one, two], "all"], 1));
      for (const each of [sender, first, second, both]) await each.receives("said", "all");
      assert.equal((await sender.next()).id, 1);
      await sender.ask("socket-to-many", one, two, "others");
      for (const each of [first, second, both]) {
        await each.receives("said", "others");
        await isQuiet(each);
      }
      await isQuiet(none);
    });

    test(`${over}: sockets that were fetched: ids, rooms, emit, join and leave`, async () => {
      const [from, to] = [unique("from"), unique("to")];
      const [caller, ada, bob] = await members([], [from], [from, unique("other")]);
      const known = async (room) => (await caller.ask("remote-rooms", room))[0];
      assert.deepEqual(
        (await known(from)).map(([id]) => id),
        [ada.id, bob.id].sort(),
      );
      assert.deepEqual((await known(from)).find(([id]) => id === ada.id)[1], [from]);
      await caller.ask("remote-emit", from, "you");
      for (const each of [ada, bob]) await each.receives("said", "you");
      await caller.ask("remote-move", from, to);
      assert.deepEqual(await known(from), []);
      assert.deepEqual(
        (await known(to)).map(([id]) => id),
        [ada.id, bob.id].sort(),
      );
      assert.deepEqual(await ada.ask("rooms"), [[to]]);
    });

    test(`${over}: all sockets of a room join and leave another`, async () => {
      const [room, other] = [unique("room"), unique("zoo")];
      const [caller, ada, bob] = await members([], [room], [room]);
      await caller.ask("all-join", room, other);
      for (const each of [ada, bob]) assert.deepEqual(await each.ask("rooms"), [[room, other]]);
      await caller.ask("all-leave", room, room);
      for (const each of [ada, bob]) assert.deepEqual(await each.ask("rooms"), [[other]]);
      assert.deepEqual(await caller.ask("rooms"), [[]]);
    });

    for (const call of ["remote-disconnect", "disconnect-room"]) {
      test(`${over}: ${call}, with and without the connection`, async () => {
        const room = unique("room");
        const [caller, ada] = await members([], [room]);
        const other = await join(ada.session, "/custom");
        await caller.ask(call, room, false);
        assert.deepEqual(await ada.next(), {
          type: "DISCONNECT",
          namespace: NAMESPACE,
          attachments: undefined,
          id: undefined,
          data: undefined,
        });
        await other.isAlive();
        const again = await join(ada.session, NAMESPACE);
        await again.ask("join", room);
        await caller.ask(call, room, true);
        await ada.session.closed();
      });
    }

    test(`${over}: a disconnect handler knows the rooms, in which the socket is found no more`, async () => {
      const room = unique("room");
      const [watcher, lost, left, kicked] = await members(["watchers"], [room], [room], [room]);
      await (way.transport === "polling" ? lost.session.close() : lost.session.websocket.end());
      const others = await goneFrom(watcher, lost, "transport close", [room]);
      assert.deepEqual(others.sort(), [left.id, kicked.id].sort());
      await left.session.send(`41${NAMESPACE},`);
      assert.deepEqual(await goneFrom(watcher, left, "client namespace disconnect", [room]), [kicked.id]);
      await watcher.session.send(...watcher.event(["disconnect-room", room, false], 9));
      assert.deepEqual(await goneFrom(watcher, kicked, "server namespace disconnect", [room]), []);
    });

    test(`${over}: whether an acknowledgement is wanted`, async () => {
      const socket = await client();
      await socket.emit("wants-ack");
      await socket.receives("wanted", false);
      await socket.session.send(...socket.event(["wants-ack"], 5));
      await socket.receives("wanted", true);
    });

    test(`${over}: a handler that waits lets the next event begin`, async () => {
      const socket = await client();
      await socket.session.send(...socket.event(["wait"], 1), ...socket.event(["release"], 2));
      const ids = [(await socket.next()).id, (await socket.next()).id];
      assert.deepEqual(ids.sort(), [1, 2]);
    });
  }
});
