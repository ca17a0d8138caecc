// Listeners, catch-alls and middleware of events that a server adds for one socket.

import assert from "node:assert/strict";
import { test } from "node:test";

import { conformance, FORGETFUL } from "./harness.js";
import { connect, WAYS } from "./session.js";

conformance("listeners of one socket", FORGETFUL, (server) => {
  for (const way of WAYS.filter(({ eio }) => eio === 4)) {
    const over = `over ${way.transport}`;
    const client = () => connect(server, { ...way, namespace: "/calls" });
    const isQuiet = async (socket) => assert.deepEqual(await socket.ask("connected"), [true]);

    test(`${over}: one of several listeners of an event is removed, the others stay in their order`, async () => {
      const [socket, other] = [await client(), await client()];
      for (const label of ["a", "b", "c"]) await socket.ask("add-listener", "own-event", label);
      await socket.emit("own-event");
      for (const label of ["a", "b", "c"]) await socket.receives("heard", label);
      await socket.ask("remove", "b");
      await socket.emit("own-event");
      for (const label of ["a", "c"]) await socket.receives("heard", label);
      await isQuiet(socket);
      await other.emit("own-event");
      await isQuiet(other);
    });

    test(`${over}: the names of events with listeners`, async () => {
      const socket = await client();
      assert.deepEqual(await socket.ask("event-names"), [[]]);
      await socket.ask("add-listener", "own-b", "b");
      await socket.ask("add-listener", "own-a", "a");
      await socket.ask("add-listener", "own-a", "again");
      assert.deepEqual(await socket.ask("event-names"), [["own-a", "own-b"]]);
      await socket.ask("remove", "a");
      assert.deepEqual(await socket.ask("event-names"), [["own-a", "own-b"]]);
      await socket.ask("remove", "again");
      assert.deepEqual(await socket.ask("event-names"), [["own-b"]]);
    });

    test(`${over}: catch-alls run in their order, and can be removed`, async () => {
      const [socket, other] = [await client(), await client()];
      await socket.ask("add-any", "second");
      await socket.ask("add-any", "third");
      await socket.ask("prepend-any", "first");
      await socket.emit("nobody-listens", 1);
      await socket.ask("remove", "second");
      assert.deepEqual(await socket.ask("seen"), [
        [
          "second add-any",
          ...["second", "third"].map((label) => `${label} prepend-any`),
          ...["first", "second", "third"].map((label) => `${label} nobody-listens`),
          ...["first", "second", "third"].map((label) => `${label} remove`),
          ...["first", "third"].map((label) => `${label} seen`),
        ],
      ]);
      assert.deepEqual(await other.ask("seen"), [[]]);
    });

    test(`${over}: catch-alls of outgoing events see emits and broadcasts, and no acknowledgements`, async () => {
      const [socket, other] = [await client(), await client()];
      const room = `room-${socket.id}`;
      await socket.ask("join", room);
      await socket.ask("add-any-outgoing", "second");
      await socket.ask("prepend-any-outgoing", "first");
      await socket.session.send(...socket.event(["wants-ack"], 50));
      await socket.receives("wanted", true);
      assert.equal((await socket.next()).id, 50);
      await other.ask("emit-to-many", [room], "broadcast");
      await socket.receives("said", "broadcast");
      await socket.ask("remove", "second");
      await other.ask("remote-emit", room, "remote");
      await socket.receives("said", "remote");
      assert.deepEqual(await socket.ask("seen"), [["first wanted", "second wanted", "first said", "second said", "first said"]]);
      assert.deepEqual(await other.ask("seen"), [[]]);
    });

    test(`${over}: middleware of one socket refuses its events, and those of no other`, async () => {
      const [socket, other] = [await client(), await client()];
      for (const each of [socket, other]) await each.ask("add-listener", "own-event", "heard");
      await socket.ask("refuse", "own-event");
      await socket.emit("own-event");
      await isQuiet(socket);
      await other.emit("own-event");
      await other.receives("heard", "heard");
    });

    test(`${over}: all listeners are removed at once`, async () => {
      const socket = await client();
      await socket.ask("add-listener", "own-event", "heard");
      await socket.ask("add-any", "any");
      await socket.ask("remove-all");
      await socket.emit("own-event");
      assert.deepEqual(await socket.ask("seen"), [["any remove-all"]]);
      assert.deepEqual(await socket.ask("event-names"), [[]]);
    });
  }
});
