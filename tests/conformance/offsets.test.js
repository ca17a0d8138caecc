// Clients that do not show that they accept offsets: with recovery enabled, they receive what Node's server sends
// with recovery disabled.

import assert from "node:assert/strict";
import { test } from "node:test";

import { conformance, PATIENT } from "./harness.js";
import { connect, join, open, probed, reasonOf, Socket, TRANSPORTS, upgraded } from "./session.js";
import { ask, assertRefused, upgrade } from "./wire.js";

const BYTES = Buffer.of(0, 4, 30, 255);

conformance("clients that are not known", { ...PATIENT, asksRecovery: false }, (server) => {
  for (const transport of TRANSPORTS) {
    test(`over ${transport}: CONNECT has no pid, and events have no offset`, async () => {
      const socket = await connect(server, { transport });
      await socket.emit("emit-back");
      await socket.receives("back");
      await socket.emit("emit-back", 1, "two", [3]);
      await socket.receives("back", 1, "two", [3]);
      await socket.emit("emit-back", BYTES, { more: BYTES }, "text");
      await socket.receives("back", BYTES, { more: BYTES }, "text");
      await socket.emit("burst", 20);
      for (let i = 0; i < 20; i++) await socket.receives("tick", i);
      await socket.isAlive();
    });

    test(`over ${transport}: broadcasts, in every namespace, and volatile events have no offset either`, async () => {
      const main = await connect(server, { transport });
      const custom = await join(main.session, "/custom");
      for (const [listener, namespace] of [[main, "/"], [custom, "/custom"]]) {
        await listener.ask("join", "room");
        const speaker = await connect(server, { namespace });
        const others = { except: [speaker.id], event: "said" };
        await speaker.ask("say", { ...others, rooms: ["room"], data: "text" });
        await listener.receives("said", "text");
        await speaker.ask("say", { ...others, rooms: [], data: BYTES });
        await listener.receives("said", BYTES);
        // Over polling no poll is waiting: the volatile event is dropped.
        if (transport === "websocket") {
          await speaker.ask("say", { ...others, rooms: ["room"], volatile: true, data: "now" });
          await listener.receives("said", "now");
        }
      }
    });

    test(`over ${transport}: a disconnected socket cannot be recovered`, async () => {
      const { session, id } = await connect(server, { transport });
      if (transport === "polling") await session.close();
      else session.websocket.end();
      assert.equal(await reasonOf(server, id), "transport close");
    });
  }

  test("after an upgrade there are no offsets either", async () => {
    const socket = await connect(server, { transport: "polling" });
    const after = socket.over(await upgraded(socket.session, await probed(socket.session)));
    await after.emit("emit-back", BYTES);
    await after.receives("back", BYTES);
    await after.isAlive();
  });
});

/**
 * A handshake with exactly these headers and this query. Returns the answer to CONNECT and the arguments of `welcome`.
 */
async function shown(server, { transport = "websocket", ...options }) {
  const session = await open(server, { transport, asks: {}, ...options });
  const socket = new Socket(session, "/");
  await session.send("40");
  const connect = await socket.next("CONNECT");
  const welcome = await socket.next("welcome");
  return { keys: Object.keys(connect.data), args: welcome.data.length - 1, session };
}

const NODE = { "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits" };
const BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0";

conformance("clients by what their handshake shows", PATIENT, (server) => {
  // Node's server treats all of these alike.
  const known = { node: true, sockeye: true };
  const unknown = { node: true, sockeye: false };
  const cases = [
    ["a browser's WebSocket", known, { headers: { Origin: `http://127.0.0.1`, "User-Agent": BROWSER } }],
    ["a browser that polls", known, { transport: "polling", headers: { "User-Agent": BROWSER, "Accept-Language": "de" } }],
    ["a user agent like a browser's", unknown, { headers: { "User-Agent": BROWSER } }],
    ["a user agent like a browser's, over polling", unknown, { transport: "polling", headers: { "User-Agent": BROWSER } }],
    ["Node's WebSocket", known, { headers: NODE }],
    ["Node that polls", known, { transport: "polling", headers: { "User-Agent": "node-XMLHttpRequest" } }],
    ["React Native on iOS", known, { headers: { Origin: `http://127.0.0.1` } }],
    ["okhttp", known, { headers: { "User-Agent": "okhttp/4.12.0" } }],
    ["no headers", unknown, {}],
    ["no headers, over polling", unknown, { transport: "polling" }],
    ["an unknown user agent", unknown, { headers: { ...NODE, "User-Agent": "Dart/3.5 (dart:io)" } }],
    ["python-requests", unknown, { transport: "polling", headers: { "User-Agent": "python-requests/2.32.3" } }],
    ["recovery=true", known, { asks: { recovery: "true" } }],
    ["recovery=1", known, { asks: { recovery: "1" }, transport: "polling" }],
    ["Node's WebSocket with recovery=false", unknown, { headers: NODE, asks: { recovery: "false" } }],
    ["Node's polling with recovery=0", unknown, { transport: "polling", headers: { "User-Agent": "node-XMLHttpRequest" }, asks: { recovery: "0" } }],
  ];
  for (const [what, expected, options] of cases) {
    test(`${what}`, async () => {
      const { keys, args } = await shown(server, { ...options, headers: ownOrigin(server, options.headers) });
      const isKnown = server.expects(expected);
      assert.deepEqual(keys, isKnown ? ["sid", "pid"] : ["sid"]);
      assert.equal(args, isKnown ? 2 : 1);
    });
  }

  test("values of recovery other than true and false are left to the application", async () => {
    for (const recovery of ["yes", "", "TRUE", "2"]) {
      const polled = await ask(server, { query: { recovery } });
      const { status, websocket } = await upgrade(server, { query: { recovery } });
      assert.deepEqual([polled.status, status], [200, 101]);
      websocket.end();
    }
  });

  test("a client once recovered needs not show it again, unless it sends recovery=false", async () => {
    const old = await connect(server);
    old.session.websocket.end();
    await reasonOf(server, old.id);
    const auth = JSON.stringify({ pid: old.pid, offset: old.offset });
    for (const [asks, isSame] of [
      [{}, true],
      [{ recovery: "false" }, server.expects({ node: true, sockeye: false })],
    ]) {
      const session = await open(server, { asks });
      await session.send(`40${auth}`);
      const { data } = await new Socket(session, "/").next("CONNECT");
      assert.equal(data.sid === old.id, isSame);
      if (isSame) {
        assert.equal(data.pid, old.pid);
        session.websocket.end();
        await reasonOf(server, old.id, 2);
      }
    }
  });
});

/** Requests with an Origin have the server's own: others are refused. */
function ownOrigin(server, headers = {}) {
  return headers.Origin ? { ...headers, Origin: `http://127.0.0.1:${server.port}` } : headers;
}
