// The official client in a browser is known as one that may be recovered: over each transport, and from another page's
// origin too.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";

import { launchBrowser, PATIENCE } from "./person.js";
import { startServer } from "./server.js";

/** In the page: connects, is cut off, and comes back; whether that was a recovery, over which transport. */
async function comeBack({ url, transports }) {
  const socket = window.io(url, { transports, reconnectionDelay: 10 });
  const connected = () => new Promise((resolve) => socket.once("connect", resolve));
  await connected();
  const { engine } = socket.io;
  if (engine.transport.name !== transports.at(-1)) await new Promise((resolve) => engine.once("upgrade", resolve));
  const [id, transport] = [socket.id, engine.transport.name];
  // What the client says it has seen last: without an offset it would be told by nothing.
  await new Promise((resolve) => (socket.once("message", resolve), socket.emit("message", "hello")));
  const back = connected();
  engine.close();
  socket.connect();
  await back;
  const outcome = { recovered: socket.recovered, isSame: socket.id === id, transport };
  socket.disconnect();
  return outcome;
}

describe("the official client in a browser", { timeout: 120_000 }, () => {
  let data;
  let server;
  let browser;
  let foreign;

  before(async () => {
    data = await mkdtemp(join(tmpdir(), "sockeye-recovery-"));
    foreign = createServer((request, response) => {
      response.setHeader("content-type", "text/html").end("<title>elsewhere</title>");
    });
    await new Promise((resolve) => foreign.listen(0, "127.0.0.1", resolve));
    foreign.origin = `http://127.0.0.1:${foreign.address().port}`;
    server = await startServer({ data, settings: { "cors.origins": foreign.origin } });
    browser = await launchBrowser();
  });

  after(async () => {
    await browser?.close();
    await server?.kill();
    foreign?.close();
    if (data !== undefined) await rm(data, { recursive: true, force: true });
  });

  for (const transports of [["websocket"], ["polling"], ["polling", "websocket"]]) {
    for (const where of ["the server's page", "a page of another origin"]) {
      it(`is recovered over ${transports.join(" upgraded to ")}, in ${where}`, async () => {
        const page = await (await browser.newContext()).newPage();
        page.setDefaultTimeout(PATIENCE);
        await page.goto(where === "the server's page" ? server.url : foreign.origin);
        await page.addScriptTag({ url: `${server.url}/socket.io/socket.io.js` });
        const outcome = await page.evaluate(comeBack, { url: server.url, transports });
        assert.deepEqual(outcome, { recovered: true, isSame: true, transport: transports.at(-1) });
        await page.context().close();
      });
    }
  }
});
