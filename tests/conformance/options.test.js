// The options of Engine.IO's server that each connection shows: the cookie, and the transports.

import assert from "node:assert/strict";
import { test } from "node:test";

import { conformance, PATIENT } from "./harness.js";
import { connect, open } from "./session.js";
import { ask, assertRefused, connection, upgrade } from "./wire.js";

/** The headers of a WebSocket's handshake. */
const UPGRADE = {
  Connection: "Upgrade",
  Upgrade: "websocket",
  "Sec-WebSocket-Version": "13",
  "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
};

const COOKIES = [
  [{ name: "io" }, "; Path=/; HttpOnly; SameSite=Lax"],
  [{ name: "sid", path: "/app", sameSite: "strict", maxAge: 60 }, "; Max-Age=60; Path=/app; HttpOnly; SameSite=Strict"],
  [{ name: "io", httpOnly: false, secure: true, sameSite: "none" }, "; Path=/; Secure; SameSite=None"],
];

for (const [cookie, attributes] of COOKIES) {
  const given = JSON.stringify(cookie);
  conformance(`the cookie ${given}`, { ...PATIENT, flags: ["--cookie", given] }, (server) => {
    test("the first response over polling sets it, and no other one", async () => {
      const first = await ask(server, {});
      const { sid } = JSON.parse(first.body.toString().slice(1));
      assert.deepEqual(first.headers["set-cookie"], [`${cookie.name}=${sid}${attributes}`]);
      const posted = await ask(server, { query: { sid }, method: "POST", body: "40" });
      assert.deepEqual([posted.status, posted.headers["set-cookie"]], [200, undefined]);
      const polled = await ask(server, { query: { sid } });
      assert.deepEqual([polled.status, polled.headers["set-cookie"]], [200, undefined]);
      const { status, headers } = await upgrade(server, { query: { sid } });
      assert.deepEqual([status, headers["set-cookie"]], [101, undefined]);
    });

    test("a WebSocket's handshake and a refusal do not set it", async () => {
      assert.equal((await upgrade(server)).headers["set-cookie"], undefined);
      assert.equal((await ask(server, { query: { sid: "nobody" } })).headers["set-cookie"], undefined);
    });
  });
}

conformance("without a cookie", PATIENT, (server) => {
  test("no response sets one", async () => {
    assert.equal((await ask(server, {})).headers["set-cookie"], undefined);
  });
});

conformance("polling only", { ...PATIENT, flags: ["--transport", '"polling"'] }, (server) => {
  test("clients are not told to upgrade", async () => {
    assert.deepEqual((await open(server, { transport: "polling" })).open.upgrades, []);
  });

  test("a WebSocket is an unknown transport, new or of a session", async () => {
    const { sid } = await open(server, { transport: "polling" });
    for (const query of [{}, { sid }]) {
      // Where no transport needs an upgrade, a request for one is a request like any other.
      for (const headers of [UPGRADE, {}]) {
        assertRefused(await ask(server, { query: { ...query, transport: "websocket" }, headers }), 0, "Transport unknown");
      }
    }
  });

  test("a request of long polling that asks for an upgrade is answered without one", async () => {
    const { status, body } = await ask(server, { headers: UPGRADE });
    assert.equal(status, 200);
    assert.match(body.toString(), /^0\{/);
  });

  test("sockets work", async () => {
    await (await connect(server, { transport: "polling" })).isAlive();
  });
});

conformance("WebSocket only", { ...PATIENT, flags: ["--transport", '"websocket"'] }, (server) => {
  test("polling is an unknown transport", async () => {
    assertRefused(await ask(server, {}), 0, "Transport unknown");
    const { sid } = await open(server);
    assertRefused(await ask(server, { query: { sid } }), 0, "Transport unknown");
  });

  test("sockets work", async () => {
    await (await connect(server)).isAlive();
  });
});

for (const path of ["/live", "/live/", "/a/b"]) {
  conformance(`the path ${path}`, { ...PATIENT, flags: ["--path", path] }, (server) => {
    const bare = path.replace(/\/$/, "");

    for (const [target, status] of [
      [`${bare}/?`, 200],
      [`${bare}/more?`, 200],
      ["/socket.io/?", 404],
      [`/x${bare}/?`, 404],
      [`${bare}x/?`, 404],
    ]) {
      test(`${target} is answered with ${status}`, async () => {
        const raw = await connection(server);
        assert.equal(await raw.status(`GET ${target}EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n`), status);
      });
    }

    test("without the slash Node answers 404, sockeye as with it", async () => {
      const raw = await connection(server);
      const status = await raw.status(`GET ${bare}?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n`);
      assert.equal(status, server.expects({ node: 404, sockeye: 200 }));
    });
  });
}
