// The application's functions about requests: whether a connection may be opened, and the headers of responses.

import assert from "node:assert/strict";
import { test } from "node:test";

import { conformance, PATIENT } from "./harness.js";
import { connect, open } from "./session.js";
import { ask, corsHeaders, target, upgrade } from "./wire.js";

const REFUSALS = ["no key", 'the key "a<b>" is wrong\\'];
const PAGE = "https://app.example.com";
const CORS = { origin: [PAGE], methods: ["GET"], exposedHeaders: ["X-Seen"], credentials: true };

conformance("hooks", { ...PATIENT, flags: ["--hooks"] }, (server) => {
  for (const message of REFUSALS) {
    test(`the application refuses a connection over polling: ${message}`, async () => {
      const { status, headers, body } = await ask(server, { headers: { "x-refuse": message } });
      assert.deepEqual([status, headers["content-type"]], [403, "application/json"]);
      assert.equal(body.toString(), JSON.stringify({ code: 4, message }));
    });

    test(`the application refuses a connection over WebSocket: ${message}`, async () => {
      const { status, headers, body } = await upgrade(server, { headers: { "x-refuse": message } });
      assert.deepEqual([status, headers["content-type"], headers.connection], [400, "text/html", "close"]);
      assert.equal(body.toString(), message);
    });
  }

  test("a connection that the application refuses is a connection error", async () => {
    const watcher = await connect(server, { namespace: "/watch" });
    const headers = { "x-refuse": "no key", "x-mark": "refused" };
    await ask(server, { headers });
    await upgrade(server, { headers });
    for (const transport of ["polling", "websocket"]) {
      const { data } = await watcher.next("a connection error");
      assert.deepEqual(data[1], ["connection_error", "refused", 4, "Forbidden", ["GET", target({ transport })]]);
    }
  });

  test("the application is asked for new connections only", async () => {
    const session = await open(server, { transport: "polling" });
    session.headers = { "x-refuse": "too late" };
    await session.send("40");
    assert.match(await session.next(), /^40\{/);
    const { sid } = session;
    assert.equal((await session.post("3", { headers: session.headers })).status, 200);
    assert.equal((await upgrade(server, { query: { sid }, headers: session.headers })).status, 101);
  });

  test("a request that the server refuses is not asked about", async () => {
    const { status, body } = await ask(server, { query: { transport: "pigeon" }, headers: { "x-refuse": "no" } });
    assert.deepEqual([status, JSON.parse(body).code], [400, 0]);
  });

  test("the application sets headers of each response over polling, and others of the first", async () => {
    const first = await ask(server, { headers: { "x-mark": "first" } });
    assert.deepEqual([first.headers["x-mark"], first.headers["x-initial"]], ["first", "yes"]);
    assert.deepEqual(first.headers["set-cookie"], ["a=1", "b=2; HttpOnly"]);
    const { sid } = JSON.parse(first.body.toString().slice(1));
    const posted = await ask(server, { query: { sid }, method: "POST", body: "40", headers: { "x-mark": "posted" } });
    assert.deepEqual([posted.headers["x-mark"], posted.headers["x-initial"]], ["posted", undefined]);
    const polled = await ask(server, { query: { sid }, headers: { "x-mark": "polled" } });
    assert.deepEqual([polled.headers["x-mark"], polled.headers["x-initial"]], ["polled", undefined]);
    assert.deepEqual(polled.headers["set-cookie"], ["a=1", "b=2; HttpOnly"]);
  });

  test("the application sets headers of a WebSocket's handshake", async () => {
    const { status, headers } = await upgrade(server, { headers: { "x-mark": "socket" } });
    assert.deepEqual([status, headers["x-mark"], headers["x-initial"]], [101, "socket", "yes"]);
    const { sid } = await open(server, { transport: "polling" });
    const later = await upgrade(server, { query: { sid }, headers: { "x-mark": "upgrade" } });
    assert.deepEqual([later.status, later.headers["x-mark"], later.headers["x-initial"]], [101, "upgrade", undefined]);
  });

  test("the application sets no headers of a refusal", async () => {
    for (const options of [{ query: { sid: "nobody" } }, { headers: { "x-refuse": "no", "x-mark": "refused" } }]) {
      for (const { headers } of [await ask(server, options), await upgrade(server, options)]) {
        assert.deepEqual([headers["x-mark"], headers["x-initial"], headers["set-cookie"]], [undefined, undefined, undefined]);
      }
    }
  });

  test("sockets work as without these functions", async () => {
    for (const transport of ["polling", "websocket"]) await (await connect(server, { transport })).isAlive();
  });
});

conformance("hooks and CORS", { ...PATIENT, flags: ["--hooks", "--cors", JSON.stringify(CORS)] }, (server) => {
  const allowed = {
    "access-control-allow-origin": PAGE,
    "access-control-allow-credentials": "true",
    "access-control-expose-headers": "x-seen",
  };

  test("a page can read why the application refuses it", async () => {
    const { status, headers, body } = await ask(server, { headers: { origin: PAGE, "x-refuse": "no key" } });
    assert.deepEqual([status, corsHeaders(headers)], [403, allowed]);
    assert.deepEqual(JSON.parse(body), { code: 4, message: "no key" });
  });

  test("the headers of CORS stay beside those of the application", async () => {
    const { status, headers } = await ask(server, { headers: { origin: PAGE, "x-mark": "page" } });
    assert.deepEqual([status, headers["x-mark"], corsHeaders(headers)], [200, "page", allowed]);
  });

  test("the application is not asked about a preflight request", async () => {
    const headers = { origin: PAGE, "access-control-request-method": "GET", "x-refuse": "no" };
    assert.equal((await ask(server, { method: "OPTIONS", headers })).status, 204);
  });
});
