// Which pages may connect: on polling and on the upgrade alike.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { inTime, start } from "./harness.js";

const POLL = "/socket.io/?EIO=4&transport=polling";
const FOREIGN = "https://evil.example";
const ALLOWED = "http://localhost:5173";

/** The status of both ways in with these headers: `[polling, upgrade]`. */
async function statuses(server, headers) {
  const { status } = await server.request(POLL, { headers });
  const upgrade = await server.websocket(headers);
  return [status, upgrade.status];
}

describe("with the default origins", () => {
  test("a foreign page is refused on polling and on the upgrade", async (t) => {
    const server = await start(t);
    assert.deepEqual(await statuses(server, { origin: FOREIGN }), [403, 403]);
    const { headers, body } = await server.request(POLL, { headers: { origin: FOREIGN } });
    assert.equal(headers["access-control-allow-origin"], undefined);
    assert.equal(JSON.parse(body).code, 4, "as Engine.IO says forbidden");
  });

  test("a foreign page is refused with every version of the protocol and every method", async (t) => {
    const server = await start(t);
    const headers = { origin: FOREIGN };
    const { body } = await server.request(POLL);
    const { sid } = JSON.parse(body.slice(1));
    for (const path of ["/socket.io/?EIO=3&transport=polling", "/socket.io?EIO=4&transport=polling", `${POLL}&sid=${sid}`]) {
      assert.equal((await server.request(path, { headers })).status, 403, path);
    }
    const post = await server.request(`${POLL}&sid=${sid}`, { method: "POST", headers, body: "40" });
    assert.equal(post.status, 403);
    assert.equal((await server.websocket(headers, "EIO=3")).status, 403);
    assert.equal((await server.websocket(headers, `EIO=4&sid=${sid}`)).status, 403);
  });

  test("an official client from a foreign page hears connect_error", async (t) => {
    const server = await start(t);
    for (const generation of [4, 3, 2]) {
      for (const transports of [["polling"], ["websocket"]]) {
        const extraHeaders = { origin: FOREIGN };
        const options = { generation, transports, extraHeaders };
        if (generation === 2) options.transportOptions = Object.fromEntries(transports.map((name) => [name, { extraHeaders }]));
        const socket = server.client(options);
        const refused = new Promise((resolve) => socket.on("connect_error", resolve));
        const entered = new Promise((resolve) => socket.on("session", resolve));
        socket.connect();
        const error = await inTime(Promise.race([refused, entered]), "an answer to a connection");
        assert.ok(error instanceof Error, `v${generation} over ${transports} was let in`);
        socket.disconnect();
      }
    }
  });

  test("the development page is allowed, with credentials", async (t) => {
    const server = await start(t);
    assert.deepEqual(await statuses(server, { origin: ALLOWED }), [200, 101]);
    const { headers } = await server.request(POLL, { headers: { origin: ALLOWED } });
    assert.equal(headers["access-control-allow-origin"], ALLOWED);
    assert.equal(headers["access-control-allow-credentials"], "true");
    assert.match(headers.vary, /\borigin\b/i);
  });

  test("its preflight is answered with what a browser needs", async (t) => {
    const server = await start(t);
    const preflight = (origin) =>
      server.request(POLL, {
        method: "OPTIONS",
        headers: {
          origin,
          "access-control-request-method": "POST",
          "access-control-request-headers": "authorization,content-type",
        },
      });
    const { status, headers } = await preflight(ALLOWED);
    assert.equal(status, 204);
    assert.equal(headers["access-control-allow-origin"], ALLOWED);
    assert.equal(headers["access-control-allow-credentials"], "true");
    assert.match(headers["access-control-allow-methods"], /\bPOST\b/);
    assert.match(headers["access-control-allow-headers"], /\bauthorization\b/i);
    assert.match(headers["access-control-allow-headers"], /\bcontent-type\b/i);
    assert.equal((await preflight(FOREIGN)).headers["access-control-allow-origin"], undefined);
  });

  test("a refusal that an allowed page may read has the headers too", async (t) => {
    const server = await start(t);
    const { status, headers } = await server.request(`${POLL}&sid=unknown`, { headers: { origin: ALLOWED } });
    assert.equal(status, 400);
    assert.equal(headers["access-control-allow-origin"], ALLOWED);
  });

  test("an origin that only looks like an allowed one is foreign", async (t) => {
    const server = await start(t);
    for (const origin of [`${ALLOWED}.evil.example`, "https://localhost:5173", "http://localhost:51730", "http://localhost", "null", ""]) {
      assert.deepEqual(await statuses(server, { origin }), [403, 403], origin);
    }
  });

  test("a client that sends no Origin is allowed", async (t) => {
    const server = await start(t);
    assert.deepEqual(await statuses(server, {}), [200, 101]);
  });

  test("the server's own page is allowed, another port of its host is not", async (t) => {
    const server = await start(t);
    assert.deepEqual(await statuses(server, { origin: server.url }), [200, 101]);
    assert.deepEqual(await statuses(server, { origin: "https://chat.example", host: "chat.example" }), [200, 101]);
    assert.deepEqual(await statuses(server, { origin: `http://127.0.0.1:${server.port - 1}` }), [403, 403]);
    assert.deepEqual(await statuses(server, { origin: "http://127.0.0.1" }), [403, 403]);
  });

  test("X-Forwarded-Host counts from a trusted proxy alone", async (t) => {
    const headers = { origin: FOREIGN, "x-forwarded-host": "evil.example" };
    const exposed = await start(t);
    assert.deepEqual(await statuses(exposed, headers), [403, 403]);
    const proxied = await start(t, { "server.trusted-proxies": "127.0.0.0/8" });
    assert.deepEqual(await statuses(proxied, headers), [200, 101]);
  });
});

describe("with origins of one's own", () => {
  test("those of the list are allowed and the default is not", async (t) => {
    const server = await start(t, { "cors.origins": "https://app.example,https://two.example:8443" });
    assert.deepEqual(await statuses(server, { origin: "https://app.example" }), [200, 101]);
    assert.deepEqual(await statuses(server, { origin: "https://two.example:8443" }), [200, 101]);
    assert.deepEqual(await statuses(server, { origin: "https://two.example" }), [403, 403]);
    assert.deepEqual(await statuses(server, { origin: ALLOWED }), [403, 403]);
  });

  test("null is allowed only if it is listed", async (t) => {
    const server = await start(t, { "cors.origins": "null" });
    assert.deepEqual(await statuses(server, { origin: "null" }), [200, 101]);
    assert.deepEqual(await statuses(server, { origin: FOREIGN }), [403, 403]);
  });

  test("an asterisk means every page, by its own name, but not null", async (t) => {
    const server = await start(t, { "cors.origins": "*" });
    assert.deepEqual(await statuses(server, { origin: FOREIGN }), [200, 101]);
    const { headers } = await server.request(POLL, { headers: { origin: FOREIGN } });
    assert.equal(headers["access-control-allow-origin"], FOREIGN, "an asterisk and credentials exclude each other");
    assert.equal(headers["access-control-allow-credentials"], "true");
    assert.deepEqual(await statuses(server, { origin: "null" }), [403, 403]);
  });
});
