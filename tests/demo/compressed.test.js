// The demo's files over HTTP: compressed at build time, and cached.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { brotliDecompressSync, gunzipSync } from "node:zlib";

import { startServer } from "./server.js";

const UNPACK = { br: brotliDecompressSync, gzip: gunzipSync };

/** The raw response: `{ status, headers, body }`. */
function request(url, headers = {}) {
  return new Promise((resolve, reject) => {
    const asked = get(url, { headers, agent: false }, async (response) => {
      const body = Buffer.concat(await response.toArray());
      resolve({ status: response.statusCode, headers: response.headers, body });
    });
    asked.on("error", reject);
  });
}

describe("the demo's files", () => {
  let data, server, script;

  before(async () => {
    data = await mkdtemp(join(tmpdir(), "sockeye-demo-"));
    server = await startServer({ data });
    const page = await request(`${server.url}/`);
    const [, path] = /<script[^>]* src="(\/assets\/[^"]+\.js)"/.exec(page.body);
    script = server.url + path;
  });

  after(async () => {
    await server?.kill();
    await rm(data, { recursive: true });
  });

  it("are sent in the encoding that the client accepts, with the same content in each", async () => {
    const plain = await request(script);
    assert.equal(plain.headers["content-encoding"], undefined);
    for (const [accept, form] of [["gzip, deflate, br, zstd", "br"], ["gzip", "gzip"], ["br;q=0.1, gzip;q=0.2", "gzip"]]) {
      const { status, headers, body } = await request(script, { "accept-encoding": accept });
      assert.deepEqual([status, headers["content-encoding"], headers.vary], [200, form, "accept-encoding"]);
      assert.equal(headers["content-type"], plain.headers["content-type"]);
      assert.equal(Number(headers["content-length"]), body.length);
      assert.ok(body.length < plain.body.length / 3, `${body.length} of ${plain.body.length} bytes`);
      assert.ok(UNPACK[form](body).equals(plain.body));
    }
  });

  it("are answered with 304 to a client that has cached them", async () => {
    const first = await request(script, { "accept-encoding": "br" });
    assert.match(first.headers["cache-control"], /max-age=31536000, immutable/);
    const again = await request(script, { "accept-encoding": "br", "if-none-match": first.headers.etag });
    assert.deepEqual([again.status, again.body.length], [304, 0]);
    const page = await request(`${server.url}/`, { "accept-encoding": "br" });
    assert.deepEqual([page.headers["cache-control"], page.headers["content-encoding"]], ["no-cache", "br"]);
  });
});
