// CORS: which headers pages of other origins get, on preflight requests and on others.

import assert from "node:assert/strict";
import { test } from "node:test";

import { conformance, PATIENT } from "./harness.js";
import { open } from "./session.js";
import { ask, corsHeaders, upgrade } from "./wire.js";

const PAGE = "https://app.example.com";
const FULL = {
  origin: [PAGE, "https://*.example.org"],
  methods: ["GET", "POST"],
  allowedHeaders: ["X-Own", "Authorization"],
  exposedHeaders: ["X-Seen", "Retry-After"],
  credentials: true,
  maxAge: 600,
};

function withCors(cors) {
  return { ...PATIENT, flags: ["--cors", JSON.stringify(cors)] };
}

function preflight(server, origin) {
  const headers = { origin, "access-control-request-method": "GET", "access-control-request-headers": "x-own,x-other" };
  return ask(server, { method: "OPTIONS", headers });
}

function variesBy(headers, name) {
  return (headers.vary ?? "").toLowerCase().split(/, */).includes(name);
}

conformance("CORS with all options", withCors(FULL), (server) => {
  const simple = (origin) => ({
    "access-control-allow-origin": origin,
    "access-control-allow-credentials": "true",
    "access-control-expose-headers": "x-seen,retry-after",
  });

  for (const origin of [PAGE, "https://a.example.org", "https://a.b.example.org"]) {
    test(`a preflight request of ${origin}`, async () => {
      const { status, headers, body } = await preflight(server, origin);
      assert.deepEqual([status, body.length], [204, 0]);
      const { "access-control-expose-headers": _, ...expected } = simple(origin);
      const { "access-control-expose-headers": __, ...got } = corsHeaders(headers);
      assert.deepEqual(got, {
        ...expected,
        "access-control-allow-methods": "GET,POST",
        "access-control-allow-headers": "x-own,authorization",
        "access-control-max-age": "600",
      });
      assert.ok(variesBy(headers, "origin"));
    });

    test(`requests of ${origin}`, async () => {
      const first = await ask(server, { headers: { origin } });
      assert.deepEqual([first.status, corsHeaders(first.headers)], [200, simple(origin)]);
      assert.ok(variesBy(first.headers, "origin"));
      const { sid } = JSON.parse(first.body.toString().slice(1));
      const posted = await ask(server, { query: { sid }, method: "POST", body: "40", headers: { origin } });
      assert.deepEqual([posted.status, corsHeaders(posted.headers)], [200, simple(origin)]);
      const polled = await ask(server, { query: { sid }, headers: { origin } });
      assert.deepEqual([polled.status, corsHeaders(polled.headers)], [200, simple(origin)]);
    });

    test(`a request of ${origin} that is refused`, async () => {
      const { status, headers } = await ask(server, { query: { sid: "nobody" }, headers: { origin } });
      assert.deepEqual([status, corsHeaders(headers)], [400, simple(origin)]);
    });

    test(`a WebSocket of ${origin}`, async () => {
      assert.equal((await upgrade(server, { headers: { origin } })).status, 101);
    });
  }

  for (const origin of [
    "https://evil.example",
    "https://example.org",
    "https://app.example.com.evil.example",
    "http://app.example.com",
    "null",
  ]) {
    test(`a page of ${origin} gets no origin`, async () => {
      for (const { headers } of [await preflight(server, origin), await ask(server, { headers: { origin } })]) {
        assert.equal(headers["access-control-allow-origin"], undefined);
        assert.ok(variesBy(headers, "origin"));
      }
    });

    // Node answers the request, and the browser keeps the response from the page.
    test(`a page of ${origin} opens no connection`, async () => {
      const { status } = await ask(server, { headers: { origin } });
      assert.equal(status, server.expects({ node: 200, sockeye: 403 }));
      assert.equal((await upgrade(server, { headers: { origin } })).status, server.expects({ node: 101, sockeye: 403 }));
    });
  }

  test("a client without an origin", async () => {
    const { status, headers } = await ask(server, {});
    assert.deepEqual([status, headers["access-control-allow-origin"]], [200, undefined]);
    await open(server);
  });
});

conformance("CORS for all origins", withCors({ origin: ["*"], methods: ["GET", "POST"] }), (server) => {
  test("a preflight request: the headers that it asks for are allowed, and no credentials", async () => {
    const { status, headers } = await preflight(server, PAGE);
    assert.equal(status, 204);
    assert.deepEqual(corsHeaders(headers), {
      "access-control-allow-origin": PAGE,
      "access-control-allow-methods": "GET,POST",
      "access-control-allow-headers": "x-own,x-other",
    });
    for (const name of ["origin", "access-control-request-headers"]) assert.ok(variesBy(headers, name), name);
  });

  test("a request", async () => {
    const { headers } = await ask(server, { headers: { origin: PAGE } });
    assert.deepEqual(corsHeaders(headers), { "access-control-allow-origin": PAGE });
  });
});

conformance("without CORS", PATIENT, (server) => {
  test("a request of the server's own page has no headers of CORS", async () => {
    const { status, headers } = await ask(server, { headers: { origin: server.url } });
    assert.equal(status, 200);
    assert.equal(headers["access-control-allow-origin"], undefined);
  });

  test("a preflight request: Node refuses it, sockeye answers without allowing an origin", async () => {
    const { status, headers } = await preflight(server, PAGE);
    assert.equal(status, server.expects({ node: 400, sockeye: 204 }));
    assert.equal(headers["access-control-allow-origin"], undefined);
  });
});
