// Which origins may connect, over polling and WebSocket.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { newKey } from "./api.js";
import { inTime, reload, start } from "./harness.js";

const POLL = "/socket.io/?EIO=4&transport=polling";
const FOREIGN = "https://evil.example";
const ALLOWED = "http://localhost:5173";

/** The tests connect through a trusted proxy. */
const PROXIED = { "server.trusted-proxies": "127.0.0.0/8" };

/** The status of both transports with these headers: `[polling, upgrade]`. */
async function statuses(server, headers) {
  const { status } = await server.request(POLL, { headers });
  const upgrade = await server.websocket(headers);
  return [status, upgrade.status];
}

describe("with the default origins", () => {
  test("an origin that is not allowed is refused on polling and on the upgrade", async (t) => {
    const server = await start(t);
    assert.deepEqual(await statuses(server, { origin: FOREIGN }), [403, 403]);
    const { headers, body } = await server.request(POLL, { headers: { origin: FOREIGN } });
    assert.equal(headers["access-control-allow-origin"], undefined);
    assert.equal(JSON.parse(body).code, 4, "as Engine.IO says forbidden");
  });

  test("an origin that is not allowed is refused in every revision and with every method", async (t) => {
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

  test("an official client with an origin that is not allowed gets connect_error", async (t) => {
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

  test("the development server's origin is allowed, with credentials", async (t) => {
    const server = await start(t);
    assert.deepEqual(await statuses(server, { origin: ALLOWED }), [200, 101]);
    const { headers } = await server.request(POLL, { headers: { origin: ALLOWED } });
    assert.equal(headers["access-control-allow-origin"], ALLOWED);
    assert.equal(headers["access-control-allow-credentials"], "true");
    assert.match(headers.vary, /\borigin\b/i);
  });

  test("the response to its preflight has the headers that a browser requires", async (t) => {
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

  test("an error response to an allowed origin has the CORS headers too", async (t) => {
    const server = await start(t);
    const { status, headers } = await server.request(`${POLL}&sid=unknown`, { headers: { origin: ALLOWED } });
    assert.equal(status, 400);
    assert.equal(headers["access-control-allow-origin"], ALLOWED);
  });

  test("an origin that resembles an allowed one is refused", async (t) => {
    const server = await start(t);
    for (const origin of [`${ALLOWED}.evil.example`, "https://localhost:5173", "http://localhost:51730", "http://localhost", "null", ""]) {
      assert.deepEqual(await statuses(server, { origin }), [403, 403], origin);
    }
  });

  test("a client that sends no Origin is allowed", async (t) => {
    const server = await start(t);
    assert.deepEqual(await statuses(server, {}), [200, 101]);
  });

  test("the server's own origin is allowed, another port of its host is not", async (t) => {
    const server = await start(t);
    assert.deepEqual(await statuses(server, { origin: server.url }), [200, 101]);
    assert.deepEqual(await statuses(server, { origin: "https://localhost", host: "localhost" }), [200, 101]);
    assert.deepEqual(await statuses(server, { origin: "capacitor://localhost", host: "localhost" }), [403, 403]);
    assert.deepEqual(await statuses(server, { origin: `http://127.0.0.1:${server.port - 1}` }), [403, 403]);
    assert.deepEqual(await statuses(server, { origin: "http://127.0.0.1" }), [403, 403]);
  });

  test("X-Forwarded-Host is used only from a trusted proxy", async (t) => {
    const headers = { origin: FOREIGN, "x-forwarded-host": "evil.example" };
    const exposed = await start(t);
    assert.deepEqual(await statuses(exposed, headers), [403, 403]);
    const proxied = await start(t, PROXIED);
    assert.deepEqual(await statuses(proxied, headers), [200, 101]);
  });
});

describe("with configured origins", () => {
  test("listed origins are allowed and the default is not", async (t) => {
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

  test("an asterisk allows every origin except null, and the response repeats the origin", async (t) => {
    const server = await start(t, { "cors.origins": "*" });
    assert.deepEqual(await statuses(server, { origin: FOREIGN }), [200, 101]);
    const { headers } = await server.request(POLL, { headers: { origin: FOREIGN } });
    assert.equal(headers["access-control-allow-origin"], FOREIGN, "an asterisk and credentials exclude each other");
    assert.equal(headers["access-control-allow-credentials"], "true");
    assert.deepEqual(await statuses(server, { origin: "null" }), [403, 403]);
  });

  test("host and port may be wildcards, and schemes of apps are accepted", async (t) => {
    const origins = "https://*.example.com,http://localhost:*,capacitor://localhost,file://,https://two.example:443";
    const server = await start(t, { "cors.origins": origins });
    const allowed = ["https://a.example.com", "https://a.b.example.com", "http://localhost", "http://localhost:3000"];
    for (const origin of [...allowed, "capacitor://localhost", "file://", "https://two.example"]) {
      assert.deepEqual(await statuses(server, { origin }), [200, 101], origin);
      const { headers } = await server.request(POLL, { headers: { origin } });
      assert.equal(headers["access-control-allow-origin"], origin);
    }
    const foreign = ["https://example.com", "https://evilexample.com", "https://a.example.com.evil.org", "http://a.example.com"];
    for (const origin of [...foreign, "https://a.example.com:8443", "https://localhost:3000", "ionic://localhost", "null"]) {
      assert.deepEqual(await statuses(server, { origin }), [403, 403], origin);
    }
  });
});

describe("behind a trusted proxy", () => {
  test("the first forwarded host, with port and protocol, is the server's own origin", async (t) => {
    const server = await start(t, PROXIED);
    const forwarded = (headers) => (origin) => statuses(server, { origin, ...headers });
    const many = forwarded({ "x-forwarded-host": "chat.example, inner.example", "x-forwarded-proto": "https" });
    assert.deepEqual(await many("https://chat.example"), [200, 101]);
    assert.deepEqual(await many("http://chat.example"), [403, 403], "a page without TLS is another one");
    assert.deepEqual(await many("https://inner.example"), [403, 403]);
    const port = forwarded({ host: "chat.example", "x-forwarded-port": "8443", "x-forwarded-proto": "https" });
    assert.deepEqual(await port("https://chat.example:8443"), [200, 101]);
    assert.deepEqual(await port("https://chat.example:9443"), [403, 403]);
    for (const host of ["chat.example:443", "chat.example:80", "chat.example"]) {
      assert.deepEqual(await forwarded({ "x-forwarded-host": host })("https://chat.example"), [200, 101], host);
    }
  });

  test("a forwarded address may have a port and brackets", async (t) => {
    const server = await start(t, { ...PROXIED, "limits.sockets-per-address": 1 });
    const from = (address) => ({ extraHeaders: { "x-forwarded-for": address } });
    for (const address of ["203.0.113.1:51008", "[2001:db8::1]:51008"]) await server.user("ada", from(address));
    for (const address of ["203.0.113.1:51009", "203.0.113.1", "[2001:db8::1]", "2001:db8:0::1"]) {
      assert.equal(await server.refusal({ auth: { userId: "bob" }, ...from(address) }), "rate-limited", address);
    }
    await server.user("bob", from("203.0.113.2:51008"));
  });
});

describe("on a loopback address", () => {
  const rebound = (server) => ({ origin: `http://evil.example:${server.port}`, host: `evil.example:${server.port}` });

  test("a page whose host name resolves to the loopback address is refused, and the log names both hosts", async (t) => {
    const server = await start(t);
    assert.deepEqual(await statuses(server, rebound(server)), [403, 403]);
    const line = await server.logged({ level: "INFO", host: `"evil.example:${server.port}"` });
    assert.match(line.message, /^host refused: .*server\.hosts/);
    assert.equal(line.origin, `"http://evil.example:${server.port}"`);
    assert.deepEqual(await statuses(server, { origin: FOREIGN }), [403, 403]);
    const other = await server.logged({ host: `"${server.host}"` });
    assert.match(other.message, /^origin refused: .*cors\.origins/);
    assert.equal(other.origin, `"${FOREIGN}"`);
  });

  test("such a page is refused over HTTP too, where browsers send no Origin", async (t) => {
    const { key, settings } = newKey();
    const server = await start(t, settings);
    const { host } = rebound(server);
    const read = (headers) => server.request("/api/messages?room=lobby&userId=ada", { headers });
    const answer = await read({ host });
    assert.equal(answer.status, 403);
    assert.equal(JSON.parse(answer.body).error.code, "forbidden");
    for (const own of [server.host, `localhost:${server.port}`, "[::1]:1", "app.localhost"]) {
      assert.equal((await read({ host: own })).status, 200, own);
    }
    assert.equal((await read({ host, authorization: `Bearer ${key}` })).status, 200, "a backend may call it as it likes");
    assert.deepEqual(await statuses(server, { host }), [200, 101], "so may a client that is no page");
  });

  test("names in server.hosts are accepted, and can be reloaded", async (t) => {
    const server = await start(t);
    const page = (host) => statuses(server, { origin: `http://${host}`, host });
    assert.deepEqual(await page("chat.test:8000"), [403, 403]);
    assert.deepEqual(await reload(server, '[server]\nhosts = ["chat.test", "*.dev.test"]\n'), ["server.hosts"]);
    for (const host of ["chat.test:8000", "a.dev.test"]) assert.deepEqual(await page(host), [200, 101], host);
    for (const host of ["dev.test", "evil.example"]) assert.deepEqual(await page(host), [403, 403], host);
  });
});

describe("a browser request without an Origin", () => {
  const POLL = "/socket.io/?EIO=3&transport=polling";
  const BROWSER = { "user-agent": "Mozilla/5.0 (X11; Linux x86_64)", "accept-language": "en" };

  test("is refused for a host name that is not this machine's, over polling and the API", async (t) => {
    const server = await start(t);
    const ask = async (path, headers) => (await server.request(path, { headers })).status;
    const rebound = { ...BROWSER, host: `evil.test:${server.port}` };
    assert.equal(await ask(POLL, rebound), 403);
    assert.equal(await ask("/api/messages?room=lobby", { ...rebound, authorization: "x" }), 403);
    assert.equal(await ask(POLL, BROWSER), 200);
    assert.equal(await ask(POLL, { host: "a.container:8000" }), 200, "no browser");
  });

  test("is accepted for the host of a listed origin, as a proxy forwards it, and for any host from a listed origin", async (t) => {
    const server = await start(t, { "cors.origins": "https://app.example.com" });
    const ask = async (headers) => (await server.request(POLL, { headers: { ...BROWSER, ...headers } })).status;
    assert.equal(await ask({ host: "app.example.com" }), 200);
    assert.equal(await ask({ host: "backend.internal", origin: "https://app.example.com" }), 200);
    assert.equal(await ask({ host: "backend.internal", origin: "https://evil.test" }), 403);
    assert.equal(await ask({ host: "other.example.com" }), 403);
  });

  test("is refused as a cross-site script, unless its origin is listed", async (t) => {
    const server = await start(t, { "cors.origins": "https://app.example.com" });
    const ask = async (headers) => (await server.request(`${POLL}&j=0`, { headers: { ...BROWSER, ...headers } })).status;
    assert.equal(await ask({ "sec-fetch-site": "cross-site" }), 403);
    assert.equal(await ask({ "sec-fetch-site": "cross-site", referer: "https://evil.test/" }), 403);
    assert.equal(await ask({ referer: "https://evil.test/" }), 403);
    assert.equal(await ask({ "sec-fetch-site": "cross-site", referer: "https://app.example.com/" }), 200);
    assert.equal(await ask({ "sec-fetch-site": "same-origin", referer: `${server.url}/` }), 200);
    assert.equal(await ask({}), 200);
  });
});
