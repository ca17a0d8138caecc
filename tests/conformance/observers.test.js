// What an observer is told of: rooms, refused requests, upgrades, new namespaces.

import assert from "node:assert/strict";
import { test } from "node:test";

import { conformance, FORGETFUL, PATIENT, TIMEOUT_MS } from "./harness.js";
import { candidate, connect, join, open, probed, reasonOf, upgraded, WAYS } from "./session.js";
import { ask, assertRefused, connection, target, upgrade } from "./wire.js";

let number = 0;
const unique = (text) => `${text}-${number++}`;

/** A socket that is told what the server's observer is told. */
async function watcher(server) {
  const socket = await connect(server, { namespace: "/watch" });
  return {
    /** The next events that have this value somewhere must be these. Events of earlier cases have other values. */
    async told(value, ...expected) {
      for (const event of expected) {
        let what;
        do {
          const { data } = await socket.next(() => `the event ${event}`);
          assert.equal(data[0], "told");
          what = data[1];
        } while (!what.flat().includes(value));
        assert.deepEqual(what, event);
      }
    },
  };
}

/** Waits until a namespace is removed, which happens after the disconnect handler of its last socket. */
async function isGone(server, path) {
  const socket = await connect(server);
  const until = performance.now() + TIMEOUT_MS;
  while ((await socket.ask("namespaces"))[0].includes(path)) assert.ok(performance.now() < until, `${path} is still there`);
}

conformance("observers", FORGETFUL, (server) => {
  for (const way of WAYS.filter(({ eio }) => eio === 4)) {
    const over = `over ${way.transport}`;

    test(`${over}: a room is created by its first socket, and deleted after its last`, async () => {
      const watching = await watcher(server);
      const room = unique("seen");
      const [ada, bob] = [await connect(server, way), await connect(server, way)];
      for (const socket of [ada, ada, bob]) await socket.ask("join", room);
      await watching.told(room, ["create-room", "/", room], ["join-room", "/", room, ada.id], ["join-room", "/", room, bob.id]);
      for (const socket of [ada, ada, bob, bob]) await socket.ask("leave", room);
      await watching.told(room, ["leave-room", "/", room, ada.id], ["leave-room", "/", room, bob.id], ["delete-room", "/", room]);
      await ada.ask("join", room);
      await watching.told(room, ["create-room", "/", room], ["join-room", "/", room, ada.id]);
    });

    test(`${over}: a socket leaves its rooms when its connection is lost`, async () => {
      const watchers = [await watcher(server), await watcher(server)];
      const rooms = [unique("seen"), unique("seen")];
      const socket = await connect(server, way);
      for (const room of rooms) await socket.ask("join", room);
      await (way.transport === "polling" ? socket.session.close() : socket.session.websocket.end());
      // A watcher for each room: Node goes through them in the order in which they were joined, sockeye in any.
      for (const [i, room] of rooms.entries()) {
        const joined = [
          ["create-room", "/", room],
          ["join-room", "/", room, socket.id],
        ];
        await watchers[i].told(room, ...joined, ["leave-room", "/", room, socket.id], ["delete-room", "/", room]);
      }
    });

    test(`${over}: rooms of one name in two namespaces are two`, async () => {
      const watching = await watcher(server);
      const room = unique("seen");
      const main = await connect(server, way);
      const custom = await join(main.session, "/custom");
      for (const socket of [main, custom]) await socket.ask("join", room);
      for (const [path, { id }] of [
        ["/", main],
        ["/custom", custom],
      ]) {
        await watching.told(room, ["create-room", path, room], ["join-room", path, room, id]);
      }
      await main.session.send("41/custom,");
      await watching.told(room, ["leave-room", "/custom", room, custom.id], ["delete-room", "/custom", room]);
    });

    test(`${over}: rooms that middleware joins, and sockets that another one moves and disconnects`, async () => {
      const watching = await watcher(server);
      const [name, from, to] = [unique("x"), unique("seen"), unique("seen")];
      const mover = await connect(server, { ...way, namespace: "/api" });
      const moved = await connect(server, { ...way, namespace: "/api", auth: { name } });
      const { id } = moved;
      const named = `name-${name}`;
      await watching.told(named, ["create-room", "/api", named], ["join-room", "/api", named, id]);
      await moved.ask("join", from);
      await mover.ask("move", from, to);
      await watching.told(id, ["join-room", "/api", from, id], ["join-room", "/api", to, id], ["leave-room", "/api", from, id]);
      await mover.ask("kick", to);
      await watching.told(to, ["leave-room", "/api", to, id], ["delete-room", "/api", to]);
    });

    test(`${over}: a client that middleware refuses has joined no room that remains`, async () => {
      const watching = await watcher(server);
      const path = `/dynamic-${1_000 + number++}`;
      const session = await open(server, way);
      await session.send(`40${path},{"token":"refuse"}`);
      assert.match(await session.next(), /^44/);
      const socket = await join(session, path);
      const room = unique("seen");
      await socket.ask("join", room);
      await watching.told(room, ["create-room", path, room], ["join-room", path, room, socket.id]);
    });

    test(`${over}: a pattern's namespace is new with its first socket, and again after its last has gone`, async () => {
      const watching = await watcher(server);
      const [path, room] = [`/dynamic-${1_000 + number++}`, unique("seen")];
      const first = await connect(server, { ...way, namespace: path });
      const second = await connect(server, { ...way, namespace: path });
      await second.ask("join", room);
      await watching.told(path, ["new_namespace", path], ["create-room", path, room], ["join-room", path, room, second.id]);
      for (const { session } of [first, second]) await session.send(`41${path},`);
      await watching.told(path, ["leave-room", path, room, second.id], ["delete-room", path, room]);
      await isGone(server, path);
      await connect(server, { ...way, namespace: path });
      await watching.told(path, ["new_namespace", path]);
    });
  }

  test("an upgrade, with the client's sockets in all namespaces", async () => {
    const watching = await watcher(server);
    const { session, id } = await connect(server, { transport: "polling" });
    const custom = await join(session, "/custom");
    await upgraded(session, await probed(session));
    await watching.told(id, ["upgrade", [id, custom.id].sort()]);
  });

  test("an upgrade before the client has joined a namespace, and none that fails", async () => {
    const watching = await watcher(server);
    const failing = await connect(server, { transport: "polling" });
    const probe = await candidate(failing.session);
    await probe.send("4not a probe");
    await probe.closed();
    const session = await open(server, { transport: "polling" });
    await upgraded(session, await probed(session));
    await watching.told("upgrade", ["upgrade", []]);
  });

  const refusals = [
    ["an unknown transport", { query: { transport: "carrier-pigeon" } }, 0, "Transport unknown"],
    ["an unknown session", { query: { sid: "nobody" } }, 1, "Session ID unknown"],
    ["a handshake by POST", { method: "POST", body: "" }, 2, "Bad handshake method"],
    ["a handshake by PUT", { method: "PUT" }, 2, "Bad handshake method"],
    ["a WebSocket without an upgrade", { query: { transport: "websocket" } }, 3, "Bad request"],
  ];
  for (const [what, options, code, message] of refusals) {
    test(`${what} is a connection error`, async () => {
      const watching = await watcher(server);
      const [mark, method] = [unique("mark"), options.method ?? "GET"];
      const url = target({ transport: "polling", ...options.query });
      assertRefused(await ask(server, { ...options, headers: { "x-mark": mark } }), code, message);
      await watching.told(mark, ["connection_error", mark, code, message, [method, url]]);
    });
  }

  const refusedUpgrades = [
    ["an unknown session", { query: { sid: "nobody" } }, 1, "Session ID unknown"],
    ["an unknown transport", { query: { transport: "carrier-pigeon" } }, 0, "Transport unknown"],
    ["a POST", { method: "POST" }, 2, "Bad handshake method"],
  ];
  for (const [what, options, code, message] of refusedUpgrades) {
    test(`an upgrade with ${what} is a connection error`, async () => {
      const watching = await watcher(server);
      const [mark, method] = [unique("mark"), options.method ?? "GET"];
      const url = target({ transport: "websocket", ...options.query });
      assert.equal((await upgrade(server, { ...options, headers: { "x-mark": mark } })).status, 400);
      await watching.told(mark, ["connection_error", mark, code, message, [method, url]]);
    });
  }

  test("a request that does not fit its session is a connection error", async () => {
    const watching = await watcher(server);
    const overWebSocket = await open(server);
    const polling = await open(server, { transport: "polling" });
    for (const query of [{ sid: overWebSocket.sid }, { sid: polling.sid, EIO: 3 }]) {
      const mark = unique("mark");
      assertRefused(await ask(server, { query, headers: { "x-mark": mark } }), 3, "Bad request");
      const url = target({ transport: "polling", ...query });
      await watching.told(mark, ["connection_error", mark, 3, "Bad request", ["GET", url]]);
    }
  });
});

conformance("observers and recovery", PATIENT, (server) => {
  test("a socket that its client may recover is in its rooms in sockeye; in Node it leaves them, and joins them again", async () => {
    const watching = await watcher(server);
    const room = unique("seen");
    const socket = await connect(server);
    await socket.ask("join", room);
    await watching.told(room, ["create-room", "/", room], ["join-room", "/", room, socket.id]);
    socket.session.websocket.end();
    assert.equal(await reasonOf(server, socket.id), "transport close");
    const session = await open(server);
    await session.send(`40${JSON.stringify({ pid: socket.pid, offset: socket.offset })}`);
    assert.equal(JSON.parse((await session.next()).slice(2)).sid, socket.id);
    if (server.expects({ node: true, sockeye: false })) {
      await watching.told(room, ["leave-room", "/", room, socket.id], ["delete-room", "/", room]);
      await watching.told(room, ["create-room", "/", room], ["join-room", "/", room, socket.id]);
    }
    const other = await connect(server);
    await other.ask("join", room);
    await watching.told(room, ["join-room", "/", room, other.id]);
  });
});

conformance("observers without Engine.IO 3", { ...FORGETFUL, allowEio3: false }, (server) => {
  test("an unsupported version is a connection error", async () => {
    const watching = await watcher(server);
    const mark = unique("mark");
    const message = "Unsupported protocol version";
    assertRefused(await ask(server, { query: { EIO: 3 }, headers: { "x-mark": mark } }), 5, message);
    await watching.told(mark, ["connection_error", mark, 5, message, ["GET", target({ EIO: 3, transport: "polling" })]]);
  });

  test("an unsupported version over WebSocket is a connection error", async () => {
    const watching = await watcher(server);
    const mark = unique("mark");
    const url = target({ EIO: 3, transport: "websocket" });
    const handshake = [
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    ];
    const raw = await connection(server);
    await raw.status([`GET ${url} HTTP/1.1`, "Host: x", `X-Mark: ${mark}`, ...handshake, "", ""].join("\r\n"));
    await watching.told(mark, ["connection_error", mark, 5, "Unsupported protocol version", ["GET", url]]);
  });
});
