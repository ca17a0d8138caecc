// The official client's files, served as by Node's `serveClient`.

import assert from "node:assert/strict";
import http from "node:http";
import { test } from "node:test";
import vm from "node:vm";
import zlib from "node:zlib";

import { WebSocket } from "ws";

import { inTime, start } from "./harness.js";

const SCRIPTS = ["socket.io.js", "socket.io.min.js", "socket.io.esm.min.js", "socket.io.msgpack.min.js"];
const MAPS = SCRIPTS.map((name) => `${name}.map`);

/** Like `server.request`, but the body is bytes: some responses are compressed. */
function fetchFile(server, path, { method = "GET", headers = {} } = {}) {
  const answer = new Promise((resolve, reject) => {
    const request = http.request(server.url + path, { method, headers, agent: false }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) }));
      response.on("error", reject);
    });
    request.on("error", reject);
    request.end();
  });
  return inTime(answer, `the answer to ${method} ${path}`);
}

test("every file is served under the configured path", async (t) => {
  for (const path of ["/socket.io", "/live/chat"]) {
    const server = await start(t, { "server.path": path });
    for (const name of [...SCRIPTS, ...MAPS]) {
      const { status, headers, body } = await fetchFile(server, `${path}/${name}`);
      assert.equal(status, 200, `${name}: ${body}`);
      const kind = name.endsWith(".map") ? "json" : "javascript";
      assert.equal(headers["content-type"], `application/${kind}; charset=utf-8`, name);
      assert.equal(headers["cache-control"], "public, max-age=0", name);
      assert.match(headers.etag, /^"\d+\.\d+\.\d+"$/, name);
      assert.equal(headers["content-length"], String(body.length), name);
      if (name.endsWith(".map")) assert.equal(JSON.parse(body).version, 3, name);
    }
    const busted = await fetchFile(server, `${path}/socket.io.js?v=1`);
    assert.equal(busted.status, 200, "a query changes nothing");
  }
});

test("the served script defines io, which connects to the script's server", async (t) => {
  const server = await start(t);
  for (const name of ["socket.io.js", "socket.io.min.js"]) {
    const { body, headers } = await fetchFile(server, `/socket.io/${name}`);
    const { setTimeout, clearTimeout } = globalThis;
    const page = { setTimeout, clearTimeout, WebSocket };
    page.self = page.window = page;
    vm.runInNewContext(body.toString(), page, { filename: name });
    assert.equal(typeof page.io, "function", name);
    assert.equal(typeof page.io.Manager, "function", name);
    assert.ok(body.includes(headers.etag.slice(1, -1)), "the tag is the version that is served");
    const socket = server.watch(page.io(server.url, { transports: ["websocket"], reconnection: false }));
    await inTime(new Promise((resolve) => socket.once("session", resolve)), "the session of the served client");
  }
});

test("a cached version is answered with 304", async (t) => {
  const server = await start(t);
  const { etag } = (await fetchFile(server, "/socket.io/socket.io.js")).headers;
  for (const known of [etag, `W/${etag}`]) {
    const { status, headers, body } = await fetchFile(server, "/socket.io/socket.io.js", { headers: { "if-none-match": known } });
    assert.deepEqual([status, headers.etag, body.length], [304, etag, 0], known);
  }
  const { status } = await fetchFile(server, "/socket.io/socket.io.js", { headers: { "if-none-match": '"0.0.0"' } });
  assert.equal(status, 200);
});

test("the compression follows Accept-Encoding", async (t) => {
  const server = await start(t);
  const whole = (await fetchFile(server, "/socket.io/socket.io.js")).body;
  const decoders = { gzip: zlib.gunzipSync, br: zlib.brotliDecompressSync, deflate: zlib.inflateSync };
  for (const [encoding, decode] of Object.entries(decoders)) {
    const { headers, body } = await fetchFile(server, "/socket.io/socket.io.js", { headers: { "accept-encoding": encoding } });
    assert.equal(headers["content-encoding"], encoding);
    assert.match(headers.vary, /accept-encoding/i);
    assert.ok(body.length < whole.length / 3, `${encoding}: ${body.length} of ${whole.length} bytes`);
    assert.ok(decode(body).equals(whole), `${encoding} is the file`);
  }
});

test("HEAD returns the headers without the file", async (t) => {
  const server = await start(t);
  const whole = await fetchFile(server, "/socket.io/socket.io.min.js");
  const { status, headers, body } = await fetchFile(server, "/socket.io/socket.io.min.js", { method: "HEAD" });
  assert.deepEqual([status, body.length], [200, 0]);
  for (const name of ["etag", "content-type", "content-length", "cache-control"]) assert.equal(headers[name], whole.headers[name]);
});

test("a page of an allowed origin may import the module, with credentials", async (t) => {
  const server = await start(t);
  const headers = { origin: "http://localhost:5173" };
  const answer = await fetchFile(server, "/socket.io/socket.io.esm.min.js", { headers });
  assert.equal(answer.headers["access-control-allow-origin"], headers.origin);
  const foreign = await fetchFile(server, "/socket.io/socket.io.esm.min.js", { headers: { origin: "https://evil.example" } });
  assert.equal(foreign.headers["access-control-allow-origin"], undefined);
});

test("any other name below the path is an Engine.IO request", async (t) => {
  const server = await start(t);
  const poll = await server.request("/socket.io/?EIO=4&transport=polling");
  assert.match(poll.body, /^0\{"sid":/);
  for (const name of ["socket.io.d.ts", "package.json", "index.js", "../package.json"]) {
    const { status, body } = await fetchFile(server, `/socket.io/${name}`);
    assert.ok(status >= 400, `${name}: ${status} ${body}`);
  }
});

test("without serve-client the files' paths are Engine.IO requests", async (t) => {
  const server = await start(t, { "server.serve-client": "false" });
  const { status, headers } = await fetchFile(server, "/socket.io/socket.io.js");
  assert.ok(status >= 400, `${status}`);
  assert.equal(headers.etag, undefined);
});
