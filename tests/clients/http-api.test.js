// The HTTP API in general: authentication, CORS, and responses to invalid requests.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import http from "node:http";
import net from "node:net";
import { describe, test } from "node:test";

import { call, emit, newKey } from "./api.js";
import { Bystander, assertNoSlower } from "./bystander.js";
import { METRICS, inTime, once, start } from "./harness.js";

const EVENT = { event: "tick", data: 1, to: { everyone: true } };
const SECRET = "0123456789abcdef0123456789abcdef";

/** A server with a key that has all scopes. */
async function withKey(t, settings = {}) {
  const { key, settings: valid } = newKey();
  return { server: await start(t, { ...valid, ...settings }), key };
}

/** A JWT of this user, valid for the server. */
function token(sub, exp = Math.floor(Date.now() / 1000) + 600) {
  const part = (json) => Buffer.from(JSON.stringify(json)).toString("base64url");
  const signed = `${part({ alg: "HS256", typ: "JWT" })}.${part({ sub, exp })}`;
  return `${signed}.${createHmac("sha256", SECRET).update(signed).digest("base64url")}`;
}

/** Sends the bytes one by one. Resolves with the whole response when the server closes. */
function raw(server, pieces, every = 100) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(server.port, "127.0.0.1");
    let text = "";
    let sent = 0;
    const timer = setInterval(() => {
      if (sent < pieces.length) socket.write(pieces[sent++]);
    }, every);
    socket.on("data", (data) => (text += data));
    socket.on("error", (error) => text || reject(error));
    socket.on("close", () => {
      clearInterval(timer);
      resolve(text);
    });
  });
}

/** Asserts the common form of error responses. */
function assertRefused({ status, headers, reply }, expected, code) {
  assert.deepEqual([status, reply.error?.code], [expected, code]);
  assert.equal(reply.success, false);
  assert.deepEqual(Object.keys(reply.error), ["code", "message"]);
  assert.match(headers["content-type"], /^application\/json/);
  assert.ok(headers["x-request-id"]);
}

describe("authentication", () => {
  test("a missing, wrong or expired key is refused", async (t) => {
    const ended = newKey("ended");
    const { server, key } = await withKey(t, { ...ended.settings, "key.ended.expires-at": "2020-01-01T00:00:00Z" });
    const altered = key.slice(0, -1) + (key.endsWith("0") ? "1" : "0");
    const cases = [undefined, "sk_", "sk_nonsense", altered, ended.key, "nonsense", key.toUpperCase()];
    for (const wrong of cases) {
      const answer = await call(server, wrong, "POST", "/api/events", EVENT);
      assertRefused(answer, 401, "unauthorized");
      assert.equal(answer.headers["www-authenticate"], "Bearer");
      assert.ok(!answer.body.includes(key));
    }
    const basic = Buffer.from(`backend:${key}`).toString("base64");
    const headers = { authorization: `Basic ${basic}` };
    assertRefused(await call(server, undefined, "POST", "/api/events", EVENT, headers), 401, "unauthorized");
    assert.equal((await call(server, key, "POST", "/api/events", EVENT)).status, 200);
    for (const secret of [key, ended.key]) assert.ok(!server.stderr.includes(secret), "keys stay out of the log");
  });

  test("a key may do only what its scopes allow", async (t) => {
    const [reads, writes] = [newKey("reads", "messages:read,users:read"), newKey("writes", "events:write")];
    const server = await start(t, { ...reads.settings, ...writes.settings });
    const answer = await call(server, reads.key, "POST", "/api/events", EVENT);
    assertRefused(answer, 403, "forbidden");
    assert.match(answer.reply.error.message, /events:write/);
    assert.equal((await call(server, writes.key, "POST", "/api/events", EVENT)).status, 200);
  });

  test("users in open mode may not write", async (t) => {
    const { server } = await withKey(t);
    const answer = await call(server, undefined, "POST", "/api/events?userId=ada", EVENT);
    assertRefused(answer, 403, "forbidden");
  });

  test("users with a token may not write either", async (t) => {
    const { server } = await withKey(t, { "auth.mode": "jwt", "auth.secret": SECRET });
    assertRefused(await call(server, token("ada"), "POST", "/api/events", EVENT), 403, "forbidden");
    assertRefused(await call(server, token("ada", 1), "POST", "/api/events", EVENT), 401, "token-expired");
    assertRefused(await call(server, "nonsense", "POST", "/api/events", EVENT), 401, "unauthorized");
    assertRefused(await call(server, undefined, "POST", "/api/events", EVENT), 401, "unauthorized");
  });
});

describe("pages", () => {
  const PREFLIGHT = { "access-control-request-headers": "authorization,content-type" };

  test("of an allowed origin may use every method", async (t) => {
    const { server } = await withKey(t);
    for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE"]) {
      const headers = { ...PREFLIGHT, origin: "http://localhost:5173", "access-control-request-method": method };
      const answer = await server.request("/api/events", { method: "OPTIONS", headers });
      assert.equal(answer.status, 204);
      assert.equal(answer.headers["access-control-allow-origin"], "http://localhost:5173");
      assert.ok(answer.headers["access-control-allow-methods"].split(",").includes(method));
      assert.match(answer.headers["access-control-allow-headers"], /authorization/);
    }
  });

  test("of an allowed origin may read an error response", async (t) => {
    const { server } = await withKey(t);
    const answer = await call(server, "sk_no", "POST", "/api/events", EVENT, { origin: "http://localhost:5173" });
    assertRefused(answer, 401, "unauthorized");
    assert.equal(answer.headers["access-control-allow-origin"], "http://localhost:5173");
    assert.match(answer.headers["access-control-expose-headers"], /retry-after/);
  });

  test("of an origin that is not allowed are refused, even with a key", async (t) => {
    const { server, key } = await withKey(t);
    for (const origin of ["https://evil.example", "null"]) {
      const answer = await call(server, key, "POST", "/api/events", EVENT, { origin });
      assertRefused(answer, 403, "forbidden");
      assert.equal(answer.headers["access-control-allow-origin"], undefined);
    }
    assert.equal((await call(server, key, "POST", "/api/events", EVENT, { origin: server.url })).status, 200);
  });
});

describe("an invalid request", () => {
  test("with an unknown path or method is refused", async (t) => {
    const { server, key } = await withKey(t);
    for (const path of ["/api", "/api/", "/api/nothing", "/api/events/", "/api/events/1/2", "/api/%00", "/api/../api/x"]) {
      assertRefused(await call(server, key, "GET", path), 404, "not-found");
    }
    for (const method of ["GET", "PUT", "DELETE", "PATCH", "TRACE"]) {
      const answer = await call(server, key, method, "/api/events");
      assertRefused(answer, 405, "bad-payload");
      assert.equal(answer.headers.allow, "POST");
    }
  });

  test("with a body that is no JSON, or has another content type, is refused", async (t) => {
    const { server, key } = await withKey(t);
    const cases = ["", "{", "null", "[]", '"x"', '{"event":"tick"} {}', '{"event":"a","event":"b","to":{"everyone":true}}', "\u0000", "[".repeat(500_000)];
    for (const body of cases) {
      const answer = await call(server, key, "POST", "/api/events", body);
      assertRefused(answer, 400, "bad-payload");
      assert.ok(answer.reply.error.message.length < 500);
    }
    const { body } = await server.request("/api/events", {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: Buffer.concat([Buffer.from('{"event":"tick","to":{"everyone":true},"data":"'), Buffer.from([0xff]), Buffer.from('"}')]),
    });
    assert.equal(JSON.parse(body).error.code, "bad-payload", "no UTF-8");
    for (const kind of ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""]) {
      const answer = await call(server, key, "POST", "/api/events", EVENT, { "content-type": kind });
      assertRefused(answer, 400, "bad-payload");
      assert.match(answer.reply.error.message, /application\/json/);
    }
    for (const kind of ["application/json; charset=utf-8", "Application/JSON", "application/problem+json"]) {
      assert.equal((await call(server, key, "POST", "/api/events", EVENT, { "content-type": kind })).status, 200);
    }
  });

  test("with an unknown field is refused in a body, and accepted in a query", async (t) => {
    const { server, key } = await withKey(t);
    const answer = await call(server, key, "POST", "/api/events", { ...EVENT, too: { users: ["7"] } });
    assertRefused(answer, 400, "bad-payload");
    assert.match(answer.reply.error.message, /^too is no field here/);
    assert.equal((await call(server, key, "GET", "/api/users?onlin=true")).status, 200);
  });

  test("with a Content-Length of 100 MB is answered before the body is read", async (t) => {
    const { server, key } = await withKey(t);
    const chunk = Buffer.alloc(1_000_000, " ");
    for (const headers of [{ "content-length": 100_000_000 }, { "transfer-encoding": "chunked" }]) {
      const before = await server.memory();
      const status = await inTime(
        new Promise((resolve, reject) => {
          const options = { method: "POST", agent: false, headers: { authorization: `Bearer ${key}`, "content-type": "application/json", ...headers } };
          const request = http.request(`${server.url}/api/events`, options, (response) => {
            response.resume();
            response.on("end", () => resolve(response.statusCode));
          });
          request.on("error", reject);
          let left = 100;
          const write = () => {
            while (left > 0) {
              left -= 1;
              if (!request.write(chunk)) return request.once("drain", write);
            }
            request.end();
          };
          write();
        }),
        "an answer to 100 MB",
      );
      assert.equal(status, 413);
      assert.ok((await server.memory()) - before < 30_000, "it was not kept");
    }
    assert.equal((await call(server, key, "POST", "/api/events", EVENT)).status, 200);
  });

  test("that is too large is told the limit in the 413", async (t) => {
    const { server, key } = await withKey(t, { "limits.payload-bytes": 2_000 });
    const answer = await call(server, key, "POST", "/api/events", { ...EVENT, data: "x".repeat(2_000) });
    assertRefused(answer, 413, "too-large");
    assert.match(answer.reply.error.message, /2000 bytes.*limits\.payload-bytes/);
    assert.equal((await call(server, key, "POST", "/api/events", { ...EVENT, data: "x".repeat(1_900) })).status, 200);
  });

  test("with a slow body is given up", async (t) => {
    const { server, key } = await withKey(t, { "server.ping-timeout": "1s" });
    const head = `POST /api/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n`;
    const text = await inTime(raw(server, [head, ..."{".padEnd(500, " ")]), "the end of the connection", 15_000);
    assert.match(text, /^HTTP\/1\.1 408 /);
    assert.match(text, /"code":"bad-payload"/);
  });

  test("with a slow head is disconnected", async (t) => {
    const { server } = await withKey(t);
    const head = `POST /api/events HTTP/1.1\r\nX-Slow: ${"x".repeat(1_000)}`;
    const text = await inTime(raw(server, [...head]), "the end of the connection", 45_000);
    assert.ok(text === "" || text.startsWith("HTTP/1.1 408 "), text);
  });

  test("with an endless head is refused", async (t) => {
    const { server } = await withKey(t);
    const text = await inTime(raw(server, [`GET /api/events HTTP/1.1\r\nX: ${"x".repeat(100_000)}`]), "an answer");
    assert.match(text, /^HTTP\/1\.1 431 /);
  });
});

describe("request ids", () => {
  test("are the client's if they are safe to log, otherwise generated", async (t) => {
    const { server, key } = await withKey(t);
    const id = async (own) => (await call(server, key, "POST", "/api/events", EVENT, { "x-request-id": own })).headers["x-request-id"];
    for (const own of ["a", "deploy-7/1", "x".repeat(128)]) assert.equal(await id(own), own);
    for (const own of ["", "with space", "x".repeat(129), "é"]) {
      const made = await id(own);
      assert.match(made, /^[0-9a-f]{32}$/);
      assert.notEqual(made, await id(own));
    }
  });

  test("are in the log line of a refused request, but the key is not", async (t) => {
    const { server, key } = await withKey(t, { "log.level": "debug" });
    await call(server, key, "POST", "/api/events", {}, { "x-request-id": "find-me" });
    const line = await server.logged({ request: "find-me" });
    assert.deepEqual([line.level, line.status, line.path], ["DEBUG", 400, "/api/events"]);
    assert.ok(!server.stderr.includes(key));
  });
});

describe("limits", () => {
  test("requests beyond the rate of one key get Retry-After; other keys are not affected", async (t) => {
    const [fast, calm] = [newKey("fast"), newKey("calm")];
    const server = await start(t, { ...fast.settings, ...calm.settings, "api.requests-per-second": 2, ...METRICS });
    const burst = await Promise.all(Array.from({ length: 50 }, () => call(server, fast.key, "POST", "/api/events", EVENT)));
    const refused = burst.filter(({ status }) => status === 429);
    assert.ok(refused.length >= 30, `${refused.length} of 50 were refused`);
    for (const answer of refused) {
      assertRefused(answer, 429, "rate-limited");
      assert.equal(answer.headers["retry-after"], "1");
    }
    assert.equal((await call(server, calm.key, "POST", "/api/events", EVENT)).status, 200);
    assert.equal(await server.metric('sockeye_limited_total{limit="requests-per-second"}'), refused.length);
    const route = (status) => server.metric(`sockeye_http_requests_total{route="/api/events",status="${status}"}`);
    assert.deepEqual([await route(429), await route(200)], [refused.length, 51 - refused.length]);
  });

  test("10,000 concurrent requests are all answered and slow no other client", async (t) => {
    const { server, key } = await withKey(t, { "limits.events-per-second": 0, "api.requests-per-second": 200 });
    const ada = await server.user("ada");
    let heard = 0;
    ada.on("tick", () => (heard += 1));
    const agent = new http.Agent({ keepAlive: true, maxSockets: 200 });
    t.after(() => agent.destroy());
    const body = JSON.stringify(EVENT);
    const headers = { authorization: `Bearer ${key}`, "content-type": "application/json", "content-length": body.length };
    const post = () =>
      new Promise((resolve, reject) => {
        const request = http.request(`${server.url}/api/events`, { method: "POST", agent, headers }, (response) => {
          let text = "";
          response.on("data", (data) => (text += data));
          response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, text }));
        });
        request.on("error", reject);
        request.end(body);
      });
    const bystander = await Bystander.arrives(t, server);
    const before = await bystander.roundTrips(500);
    const posts = Array.from({ length: 10_000 }, post);
    await inTime(Promise.race(posts), "the first answer");
    const began = performance.now();
    const answers = await inTime(Promise.all(posts), "the answers", 60_000);
    const turn = ((performance.now() - began) / posts.length) * agent.maxSockets;
    assertNoSlower(await bystander.roundTrips(), before, turn);
    const taken = answers.filter(({ status }) => status === 200);
    const refused = answers.filter(({ status }) => status === 429);
    assert.equal(taken.length + refused.length, 10_000);
    assert.ok(taken.length >= 200 && refused.length > 0, `${taken.length} were taken`);
    for (const { headers: { "retry-after": after }, text } of refused) {
      assert.equal(after, "1");
      assert.equal(JSON.parse(text).error.code, "rate-limited");
    }
    for (const { text } of taken) assert.deepEqual(JSON.parse(text), { success: true, data: { delivered: 2 } });
    ada.emit("message", "last");
    await once(ada, "message", (text) => text === "last");
    assert.equal(heard, taken.length, "what was answered was emitted, once");
  });
});

describe("while the server is closing", () => {
  test("new requests get 503 without an error in the log; waiting ones are answered", async (t) => {
    const { server, key } = await withKey(t, { "server.drain": "1h", "log.level": "debug" });
    const ada = await server.user("ada");
    const asked = new Promise((resolve) => ada.on("question", (answer) => resolve(answer)));
    const waiting = emit(server, key, { event: "question", to: { everyone: true }, ack: { timeoutMs: 10_000 } });
    const answer = await inTime(asked, "the question");
    server.terminate();
    await once(ada, "server-closing");
    const late = await call(server, key, "POST", "/api/events", EVENT);
    assertRefused(late, 503, "unavailable");
    assert.equal(late.headers["retry-after"], "1");
    const line = await server.logged({ request: late.headers["x-request-id"] });
    assert.deepEqual([line.level, line.status], ["DEBUG", 503]);
    answer("done");
    assert.equal((await waiting).answers[0].data, "done");
  });
});

describe("the OpenAPI description", () => {
  test("has every path with method, parameters, responses and authentication", async (t) => {
    const { server, key } = await withKey(t);
    const { status, reply: api } = await call(server, undefined, "GET", "/api/openapi.json");
    assert.equal(status, 200);
    assert.match(api.openapi, /^3\.1\./);
    assert.deepEqual(Object.keys(api.components.securitySchemes), ["key", "token"]);
    assert.ok(api.paths["/api/events"].post && api.paths["/api/events/batch"].post);
    for (const [path, item] of Object.entries(api.paths)) {
      const methods = Object.keys(item).filter((name) => ["get", "put", "post", "delete", "patch"].includes(name));
      assert.ok(methods.length > 0, path);
      const url = path.replaceAll(/\{\w+\}/g, "x");
      const { headers } = await call(server, key, "TRACE", url);
      const allowed = headers.allow.toLowerCase().split(",").filter((name) => name !== "head");
      assert.deepEqual(methods.sort(), allowed.sort(), `${path} has all methods there are`);
      for (const method of methods) {
        const operation = item[method];
        assert.ok(operation.summary && operation.tags?.length, `${method} ${path} says what it does`);
        for (const code of ["400", "401", "403", "429", "503"]) {
          const schema = operation.responses[code]?.content?.["application/json"]?.schema;
          assert.ok(schema?.properties?.error, `${method} ${path} says how ${code} looks`);
        }
        assert.ok(Object.keys(operation.responses).some((code) => code.startsWith("2")), `${method} ${path}`);
        const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
        const parameters = (operation.parameters ?? []).filter((parameter) => parameter.in === "path");
        assert.deepEqual(parameters.map(({ name }) => name).sort(), named.sort());
      }
    }
    const references = [...JSON.stringify(api).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, reference]) => reference);
    assert.ok(references.length > 0);
    for (const reference of references) {
      const found = reference.split("/").reduce((place, name) => place?.[name.replaceAll("~1", "/")], api);
      assert.ok(found, `${reference} is there`);
    }
    const described = Object.values(api.components.schemas.Event.properties);
    assert.ok(described.every(({ description, $ref, oneOf, allOf }) => description || $ref || oneOf || allOf));
  });

  test("has a page without external resources", async (t) => {
    const { server } = await withKey(t);
    const page = await server.request("/api/docs/");
    assert.equal(page.status, 200);
    const files = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, file]) => file);
    assert.ok(files.length > 0);
    for (const file of files) {
      assert.doesNotMatch(file, /^(https?:)?\/\//);
      assert.equal((await server.request(`/api/docs/${file}`)).status, 200, file);
    }
    const { body } = await server.request("/api/docs/swagger-initializer.js");
    assert.match(body, /\/api\/openapi\.json/);
    assert.match(body, /"validatorUrl": "none"/);
  });

  test("can be disabled", async (t) => {
    const { server } = await withKey(t, { "api.docs": false });
    for (const path of ["/api/openapi.json", "/api/docs", "/api/docs/"]) {
      assertRefused(await call(server, undefined, "GET", path), 404, "not-found");
    }
  });
});
