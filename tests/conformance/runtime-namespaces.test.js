// Namespaces that are made while the server runs: by a call, by a pattern, by a function of name and auth.

import assert from "node:assert/strict";
import { test } from "node:test";

import { conformance, FORGETFUL, TIMEOUT_MS } from "./harness.js";
import { connect, join, open, WAYS } from "./session.js";

let number = 0;
const unique = (text) => `${text}${number++}`;

const control = (server) => connect(server, { namespace: "/control" });

/** Waits until a namespace is there, or is not. */
async function exists(socket, path, isThere) {
  const until = performance.now() + TIMEOUT_MS;
  while ((await socket.ask("namespaces"))[0].includes(path) !== isThere) {
    assert.ok(performance.now() < until, `${path}: ${isThere ? "never came" : "is still there"}`);
  }
}

/** The message of the refusal. */
async function refusal(session, path, auth) {
  await session.send(`40${path},${auth === undefined ? "" : JSON.stringify(auth)}`);
  const packet = await session.next("CONNECT_ERROR");
  assert.ok(packet.startsWith(`44${path},`), packet);
  return JSON.parse(packet.slice(`44${path},`.length));
}

conformance("namespaces at run time", FORGETFUL, (server) => {
  for (const way of WAYS.filter(({ eio }) => eio === 4)) {
    const over = `over ${way.transport}`;

    test(`${over}: a namespace that is added later is unknown before`, async () => {
      const maker = await control(server);
      const path = unique("/late-");
      const session = await open(server, way);
      assert.deepEqual(await refusal(session, path), { message: "Invalid namespace" });
      await maker.ask("add", path);
      const [first, second] = [await join(session, path), await connect(server, { ...way, namespace: path })];
      assert.deepEqual(await first.ask("path"), [path]);
      await maker.ask("emit", path, "hello");
      for (const socket of [first, second]) await socket.receives("news", "hello");
      await first.ask("tell-others", "others");
      await second.receives("news", "others");
    });

    test(`${over}: a namespace that was added stays without sockets`, async () => {
      const maker = await control(server);
      const path = unique("/late-");
      await maker.ask("add", path);
      const main = await connect(server, way);
      const socket = await join(main.session, path);
      await socket.session.send(`41${path},`);
      // Node processes a CONNECT before a DISCONNECT that came at the same moment.
      await main.isAlive();
      const again = await join(main.session, path);
      assert.deepEqual(await again.ask("path"), [path]);
      await again.session.send(`41${path},`);
      // The pattern's namespace goes after that of the call would have gone.
      const fence = unique("/orders-");
      await (await join(socket.session, fence)).session.send(`41${fence},`);
      await exists(maker, fence, false);
      await exists(maker, path, true);
    });

    test(`${over}: a pattern's namespaces are separate, and a path of its own comes before the pattern`, async () => {
      const [one, two] = [unique("/orders-"), unique("/orders-")];
      const sockets = [await connect(server, { ...way, namespace: one }), await connect(server, { ...way, namespace: one })];
      const other = await connect(server, { ...way, namespace: two });
      for (const [socket, path] of [
        [sockets[0], one],
        [other, two],
      ]) {
        assert.deepEqual(await socket.ask("kind"), [path.slice("/orders-".length)]);
      }
      await sockets[0].ask("tell-others", "mine");
      await sockets[1].receives("news", "mine");
      assert.deepEqual(await other.ask("path"), [two]);
      const fixed = await connect(server, { ...way, namespace: "/orders-fixed" });
      assert.deepEqual(await fixed.ask("kind"), ["fixed"]);
    });

    test(`${over}: middleware of a pattern`, async () => {
      const session = await open(server, way);
      assert.deepEqual(await refusal(session, "/orders-0"), { message: "no such order" });
      assert.deepEqual(await refusal(session, "/orders-1/2"), { message: "Invalid namespace" });
      assert.deepEqual(await refusal(session, "/orders-"), { message: "Invalid namespace" });
    });

    test(`${over}: a function of name and auth makes namespaces`, async () => {
      const path = unique("/tenant-");
      const session = await open(server, way);
      for (const auth of [undefined, {}, { key: "wrong" }]) {
        assert.deepEqual(await refusal(session, path, auth), { message: "Invalid namespace" });
      }
      const maker = await control(server);
      await exists(maker, path, false);
      const socket = await join(session, path, { key: "secret" });
      assert.deepEqual(await socket.ask("path"), [path]);
      await exists(maker, path, true);
      assert.deepEqual(await refusal(session, unique("/other-"), { key: "secret" }), { message: "Invalid namespace" });
    });

    test(`${over}: where the namespace exists, Node asks the function no more`, async () => {
      const path = unique("/tenant-");
      await connect(server, { ...way, namespace: path, auth: { key: "secret" } });
      const session = await open(server, way);
      if (server.expects({ node: true, sockeye: false })) await join(session, path, { key: "wrong" });
      else assert.deepEqual(await refusal(session, path, { key: "wrong" }), { message: "Invalid namespace" });
    });

    test(`${over}: an emit to a pattern or function reaches all its namespaces, and no others`, async () => {
      const maker = await control(server);
      const auth = { key: "secret" };
      const member = (path) => connect(server, { ...way, namespace: path, auth });
      const orders = [await member(unique("/orders-")), await member(unique("/orders-")), await member(unique("/orders-"))];
      const tenant = await member(unique("/tenant-"));
      const fixed = await member("/orders-fixed");
      const room = unique("room-");
      for (const socket of [orders[1], orders[2], tenant]) await socket.ask("join", room);

      await maker.ask("emit-to-room-of-parent", "orders", room, "room");
      await maker.ask("emit-to-parent", "orders", "all");
      await maker.ask("emit-to-parent", "tenants", "tenants");
      for (const socket of orders.slice(1)) await socket.receives("news", "room");
      for (const socket of orders) await socket.receives("news", "all");
      await tenant.receives("news", "tenants");
      assert.deepEqual(await fixed.ask("kind"), ["fixed"]);
    });

    test(`${over}: a namespace of a pattern or function goes with its last socket`, async () => {
      const maker = await control(server);
      for (const [path, auth] of [[unique("/orders-")], [unique("/tenant-"), { key: "secret" }]]) {
        const [first, second] = [
          await connect(server, { ...way, namespace: path, auth }),
          await connect(server, { ...way, namespace: path, auth }),
        ];
        await first.session.send(`41${path},`);
        await second.ask("path");
        await exists(maker, path, true);
        await second.session.close();
        await exists(maker, path, false);
        await (await connect(server, { ...way, namespace: path, auth })).ask("path");
      }
    });
  }
});

conformance("namespaces that stay", { ...FORGETFUL, flags: ["--keep-children"] }, (server) => {
  test("a namespace of a pattern or function stays after its last socket", async () => {
    const maker = await control(server);
    for (const [path, auth] of [["/orders-7"], ["/tenant-7", { key: "secret" }]]) {
      const watcher = await connect(server, { namespace: "/watch" });
      const socket = await connect(server, { namespace: path, auth });
      assert.deepEqual((await watcher.next()).data[1], ["new_namespace", path]);
      await socket.ask("join", "seen-x");
      await socket.session.close();
      for (const event of ["create-room", "join-room", "leave-room", "delete-room"]) {
        assert.deepEqual((await watcher.next(event)).data[1].slice(0, 3), [event, path, "seen-x"]);
      }
      await exists(maker, path, true);
      await (await connect(server, { namespace: path, auth })).ask("join", "seen-y");
      // The namespace is not new.
      assert.deepEqual((await watcher.next()).data[1], ["create-room", path, "seen-y"]);
    }
  });
});
