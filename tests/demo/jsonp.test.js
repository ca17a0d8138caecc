// The official v2 client in a browser with JSONP enabled, as used by browsers without cross-origin requests.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

import { PAGES, TwoOrigins } from "./two-origins.js";

const CLIENT = fileURLToPath(new URL("../clients/node_modules/socket.io-client-2/dist/socket.io.js", import.meta.url));

/** In the page: what a client receives of its own events, and how its requests were made. */
async function talk({ url, texts }) {
  const socket = window.io(url, { transports: ["polling"], forceJSONP: true, query: { userId: "ada" } });
  await new Promise((resolve) => socket.on("connect", resolve));
  const heard = [];
  for (const text of texts) {
    const back = new Promise((resolve) => socket.once("message", (...args) => resolve(args)));
    await new Promise((resolve) => socket.emit("message", text, resolve));
    heard.push(await back);
  }
  const kinds = performance.getEntriesByType("resource").filter(({ name }) => name.includes("transport=polling"));
  const gone = new Promise((resolve) => socket.on("disconnect", resolve));
  socket.close();
  return { heard, kinds: [...new Set(kinds.map(({ initiatorType }) => initiatorType))].sort(), reason: await gone };
}

describe("JSONP in a browser", { timeout: 120_000 }, () => {
  const origins = new TwoOrigins();
  before(() => origins.open());
  after(() => origins.close());

  for (const where of PAGES) {
    it(`receives and sends events, in ${where}`, async () => {
      // The demo's own Content-Security-Policy blocks scripts of a test.
      const page = await origins.page(where, { bypassCSP: true });
      await page.addScriptTag({ path: CLIENT });
      const texts = ["hello", 'ä 😀 "\u2028" </script>', "two\nlines and \\n two characters", "+&=%25"];
      const { heard, kinds, reason } = await page.evaluate(talk, { url: origins.server.url, texts });
      assert.deepEqual(heard, texts.map((text) => [text]));
      assert.ok(kinds.includes("script") && !kinds.includes("xmlhttprequest"), kinds.join());
      assert.equal(reason, "io client disconnect");
    });
  }
});
