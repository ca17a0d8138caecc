// Each call of Node's server API, as an application in Rust makes it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { conformance, PATIENT } from "./harness.js";
import { connect, WAYS } from "./session.js";

const BYTES = Buffer.of(0, 4, 30, 255);

conformance("server API", PATIENT, (server) => {
  for (const way of WAYS.filter(({ eio }) => eio === 4)) {
    const over = `over ${way.transport}`;
    let number = 0;
    const unique = (text) => `${text}-${way.transport}-${number++}`;
    const client = (name) => connect(server, { ...way, namespace: "/api", auth: name && { name } });

    /** Waits until the server has processed everything, and asserts that it sent nothing. */
    const isQuiet = async (socket) => assert.deepEqual(await socket.ask("sum", 1, 2), [3]);

    test(`${over}: several arguments, surplus ones and missing ones`, async () => {
      const socket = await client();
      assert.deepEqual(await socket.ask("sum", 3, 4), [7]);
      assert.deepEqual(await socket.ask("optional", 1, 2), [1, 2]);
      assert.deepEqual(await socket.ask("optional", 1), [1, null]);
    });

    test(`${over}: an acknowledgement has as many arguments as the handler gives it`, async () => {
      const socket = await client();
      assert.deepEqual(await socket.ask("pair"), ["a", { b: 2 }]);
      assert.deepEqual(await socket.ask("nothing"), []);
    });

    test(`${over}: an acknowledgement is sent later, by another event, or never`, async () => {
      const socket = await client();
      await socket.session.send(...socket.event(["later"], 100), ...socket.event(["never"], 101), ...socket.event(["release"], 102));
      const { id, data } = await socket.next();
      assert.deepEqual([id, data], [100, ["released"]]);
      assert.equal((await socket.next()).id, 102);
      await isQuiet(socket);
    });

    test(`${over}: attachments anywhere in a payload, in both directions`, async () => {
      const socket = await client();
      const file = { name: "x", parts: [BYTES, Buffer.of(1)] };
      await socket.session.send(...socket.event(["file", file], 7));
      await socket.receives("file", file);
      const { id, data } = await socket.next();
      assert.deepEqual([id, data], [7, [file]]);
    });

    test(`${over}: attachments in a typed event, in both directions`, async () => {
      const socket = await client();
      await socket.session.send(...socket.event(["picture", { image: BYTES }], 8));
      await socket.receives("picture", { image: BYTES });
      assert.equal((await socket.next()).id, 8);
    });

    test(`${over}: broadcasts reach everybody else, in any number of arguments`, async () => {
      const [socket, other] = [await client(), await client()];
      const text = unique("text");
      await socket.ask("shout", text, BYTES, { last: true });
      for (;;) {
        const { data } = await other.next();
        if (data[0] !== "shouted" || data[1] !== text) continue;
        assert.deepEqual(data.slice(0, 4), ["shouted", text, BYTES, { last: true }]);
        break;
      }
    });

    test(`${over}: a room without its sender and without others, and the same room from anywhere`, async () => {
      const [room, except] = [unique("room"), unique("except")];
      const sockets = [await client(), await client(), await client()];
      for (const socket of sockets) await socket.ask("join", room);
      const [socket, other, excepted] = sockets;
      await excepted.ask("join", except);
      await socket.ask("tell", room, except, "some");
      await other.receives("told", "some");
      await socket.session.send(...socket.event(["tell-all", room, "all"], 55));
      for (const each of sockets) await each.receives("told", "all");
      assert.equal((await socket.next()).id, 55);
    });

    test(`${over}: data and rooms that middleware has set`, async () => {
      const name = unique("Ada");
      const socket = await client(name);
      assert.deepEqual(await socket.ask("name"), [name]);
      assert.deepEqual(await socket.ask("rooms"), [[`name-${name}`]]);
    });

    test(`${over}: listeners of one socket`, async () => {
      const [socket, other] = [await client(), await client()];
      await socket.ask("listen", "new");
      await socket.ask("listen-once", "once");
      assert.deepEqual(await socket.ask("new"), ["heard"]);
      assert.deepEqual(await socket.ask("new"), ["heard"]);
      assert.deepEqual(await socket.ask("once"), ["heard once"]);
      await socket.session.send(...socket.event(["once"], 60));
      await other.session.send(...other.event(["new"], 61));
      await isQuiet(other);
      await socket.ask("stop-listening", "new");
      await socket.session.send(...socket.event(["new"], 62));
      await isQuiet(socket);
    });

    test(`${over}: two listeners of one event both run, and the event is acknowledged once`, async () => {
      const socket = await client();
      await socket.session.send(...socket.event(["both"], 65));
      await socket.receives("first");
      await socket.receives("second");
      const { id, data } = await socket.next();
      assert.deepEqual([id, data], [65, ["handled"]]);
      await isQuiet(socket);
    });

    test(`${over}: a listener that an earlier event adds gets the later one, though both came at once`, async () => {
      const socket = await client();
      await socket.session.send(...socket.event(["listen", "next"], 70), ...socket.event(["next"], 71));
      assert.equal((await socket.next()).id, 70);
      const { id, data } = await socket.next();
      assert.deepEqual([id, data], [71, ["heard"]]);
    });

    test(`${over}: a catch-all sees every event, and middleware stops one`, async () => {
      const socket = await client();
      await socket.ask("nothing");
      await socket.emit("nobody-listens", 1);
      await socket.emit("forbidden");
      assert.deepEqual(await socket.ask("seen"), [["nothing", "nobody-listens", "forbidden", "seen"]]);
    });

    test(`${over}: a catch-all acknowledges, and the handler runs too`, async () => {
      const socket = await client();
      assert.deepEqual(await socket.ask("taken"), ["by the catch-all"]);
      await socket.receives("handled", "by the handler");
      assert.deepEqual(await socket.ask("seen"), [["taken", "seen"]]);
    });

    test(`${over}: an event that middleware refuses: Node never answers, sockeye acknowledges the error`, async () => {
      const socket = await client();
      await socket.session.send(...socket.event(["forbidden"], 80));
      if (server.expects({ node: false, sockeye: true })) {
        const { id, data } = await socket.next();
        assert.deepEqual([id, data], [80, [{ error: { code: "forbidden", message: "no" } }]]);
      }
      await isQuiet(socket);
    });

    test(`${over}: a handler that waits for its client does not hold up the next event`, async () => {
      const socket = await client();
      await socket.emit("ask");
      const id = await socket.isAsked("question");
      await isQuiet(socket);
      await socket.answer(id, "yes", { of: "course" });
      await socket.receives("answered", "yes", { of: "course" });
    });

    test(`${over}: a client that does not answer in time`, async () => {
      const socket = await client();
      await socket.session.send(...socket.event(["ask-in-vain"], 90));
      await socket.isAsked("question");
      const { id, data } = await socket.next();
      assert.deepEqual([id, data], [90, [true]]);
    });

    test(`${over}: all clients of a room are asked`, async () => {
      const room = unique("asked");
      const [socket, other] = [await client(), await client()];
      for (const each of [socket, other]) await each.ask("join", room);
      await socket.session.send(...socket.event(["ask-all", room], 91));
      await other.answer(await other.isAsked("question"), 1);
      const question = await socket.isAsked("question");
      // The handler waits, and the next event does not.
      await isQuiet(socket);
      await socket.answer(question, 2);
      const { id, data } = await socket.next();
      assert.deepEqual([id, data], [91, [[1, 2]]]);
    });

    test(`${over}: an error with a code and data of the application's own`, async () => {
      const socket = await client();
      assert.deepEqual(await socket.ask("buy", 2), [2]);
      const error = { code: "sold-out", message: "too few seats", data: { free: 3 } };
      assert.deepEqual(await socket.ask("buy", 4), [{ error }]);
    });

    test(`${over}: the sockets of a room are found, moved and disconnected`, async () => {
      const [from, to] = [unique("here"), unique("here")];
      const names = [unique("Ada"), unique("Bob")].sort();
      const [watcher, ada, bob] = [await client(), await client(names[0]), await client(names[1])];
      for (const each of [ada, bob]) await each.ask("join", from);
      assert.deepEqual(await watcher.ask("fetch", from), [names]);
      await watcher.ask("move", from, to);
      assert.deepEqual(await watcher.ask("fetch", from), [[]]);
      assert.deepEqual(await watcher.ask("fetch", to), [names]);
      assert.ok((await watcher.ask("all-rooms"))[0].includes(to));
      assert.ok(!(await watcher.ask("all-rooms"))[0].includes(from));
      await watcher.ask("kick", to);
      for (const each of [ada, bob]) assert.equal((await each.next()).type, "DISCONNECT");
      assert.deepEqual(await watcher.ask("fetch", to), [[]]);
    });

    test(`${over}: others learn at once that a connection was lost, with the reason`, async () => {
      const [watcher, socket] = [await client(), await client()];
      await watcher.ask("join", "watchers");
      await (way.transport === "polling" ? socket.session.close() : socket.session.websocket.end());
      for (;;) {
        const { data } = await watcher.next();
        if (data[1] !== socket.id) continue;
        assert.deepEqual(data.slice(0, 3), ["gone", socket.id, "transport close"]);
        break;
      }
    });
  }
});
