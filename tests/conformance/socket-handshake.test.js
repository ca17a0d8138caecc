// What a server knows of a client's request and `auth`, and of its transport.

import assert from "node:assert/strict";
import { test } from "node:test";

import { conformance, PATIENT } from "./harness.js";
import { connect, join, probed, TRANSPORTS, upgraded, WAYS } from "./session.js";

const NAMESPACE = "/handshake";
const AUTH = { token: "abc", nested: { list: [1, null, "ü"] } };

/** The handshake without its time, which must be about now. */
function timeless({ issued, ...rest }) {
  const age = Date.now() - issued;
  assert.ok(age > -1_000 && age < 60_000, `${age} ms`);
  return rest;
}

conformance("socket.handshake", PATIENT, (server) => {
  const asked = async (socket, event = "handshake") => timeless((await socket.ask(event))[0]);

  for (const way of WAYS) {
    const over = `revision ${way.eio} over ${way.transport}`;

    test(`${over}: query, URL and address`, async () => {
      const query = { room: "blue one", sign: "a+b&c=d", empty: "", umlaut: "ü" };
      const socket = await connect(server, { ...way, namespace: NAMESPACE, query });
      const known = await asked(socket);
      assert.deepEqual(known, await asked(socket, "handshake-in-middleware"));
      const { query: all, url, ...rest } = known;
      const own = { EIO: String(way.eio), transport: way.transport };
      assert.deepEqual(all, { recovery: "true", ...query, ...own });
      assert.deepEqual(Object.fromEntries(new URL(url, server.url).searchParams), all);
      assert.ok(url.startsWith("/socket.io/?"), url);
      assert.deepEqual(rest, { address: "127.0.0.1", auth: {}, secure: false, xdomain: false });
    });

    test(`${over}: headers`, async () => {
      const headers = { "X-Own": "one, two", Cookie: "sid=abc; theme=dark", "User-Agent": "a test" };
      const socket = await connect(server, { ...way, namespace: NAMESPACE, headers });
      for (const [name, value] of Object.entries(headers)) assert.deepEqual(await socket.ask("header", name.toLowerCase()), [value]);
      assert.deepEqual(await socket.ask("header", "host"), [server.host]);
      assert.deepEqual(await socket.ask("header", "x-none"), [null]);
    });

    test(`${over}: a request of a page`, async () => {
      const socket = await connect(server, { ...way, namespace: NAMESPACE, headers: { origin: server.url } });
      assert.equal((await asked(socket)).xdomain, true);
      assert.deepEqual(await socket.ask("header", "origin"), [server.url]);
    });
  }

  for (const transport of TRANSPORTS) {
    test(`over ${transport}: each namespace has the auth of its own CONNECT, and the same request`, async () => {
      const one = await connect(server, { transport, namespace: NAMESPACE, auth: AUTH, query: { a: "1" } });
      const two = await join(one.session, "/handshake-too", { token: "other" });
      const [first, second] = [await asked(one), await asked(two)];
      assert.deepEqual([first.auth, second.auth], [AUTH, { token: "other" }]);
      assert.deepEqual({ ...first, auth: 0 }, { ...second, auth: 0 });
      await one.session.send(`41${NAMESPACE},`);
      // Node processes a CONNECT before a DISCONNECT that came at the same moment.
      await two.ask("transport");
      const again = await join(one.session, NAMESPACE);
      assert.deepEqual((await asked(again)).auth, {});
    });

    test(`over ${transport}: the name of the transport`, async () => {
      const socket = await connect(server, { transport, namespace: NAMESPACE });
      assert.deepEqual(await socket.ask("transport"), [transport]);
    });
  }

  test("headers of a proxy that the server does not know change neither the address nor the security", async () => {
    const headers = { "x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "https", "x-forwarded-host": "example.com" };
    const known = await asked(await connect(server, { namespace: NAMESPACE, headers }));
    assert.deepEqual([known.address, known.secure], ["127.0.0.1", false]);
  });

  test("of two parameters with the same name the last counts", async () => {
    const socket = await connect(server, { namespace: NAMESPACE, query: { twice: ["1", "2"] } });
    assert.deepEqual(await socket.ask("parameter", "twice"), ["2"]);
    assert.deepEqual(await socket.ask("parameter", "none"), [null]);
    assert.equal((await asked(socket)).query.twice, "2");
  });

  test("after an upgrade the handshake is the same, also for a namespace that is joined then, and the transport another", async () => {
    const headers = { "x-own": "polling" };
    const before = await connect(server, { transport: "polling", namespace: NAMESPACE, auth: AUTH, headers });
    const known = await asked(before);
    assert.deepEqual(await before.ask("transport"), ["polling"]);
    const session = await upgraded(before.session, await probed(before.session));
    const after = before.over(session);
    assert.deepEqual(await after.ask("transport"), ["websocket"]);
    assert.deepEqual(await asked(after), known);
    assert.equal(known.query.transport, "polling");
    const later = await join(session, "/handshake-too");
    assert.deepEqual(await asked(later), { ...known, auth: {} });
    assert.deepEqual(await later.ask("header", "x-own"), ["polling"]);
    assert.deepEqual(await later.ask("transport"), ["websocket"]);
  });
});
