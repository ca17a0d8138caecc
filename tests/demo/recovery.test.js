// The official client in a browser is known as one that may be recovered: over each transport, and from another page's
// origin too.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { PAGES, TwoOrigins } from "./two-origins.js";

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
  const origins = new TwoOrigins();
  before(() => origins.open());
  after(() => origins.close());

  for (const transports of [["websocket"], ["polling"], ["polling", "websocket"]]) {
    for (const where of PAGES) {
      it(`is recovered over ${transports.join(" upgraded to ")}, in ${where}`, async () => {
        const page = await origins.page(where);
        await page.addScriptTag({ url: `${origins.server.url}/socket.io/socket.io.js` });
        const outcome = await page.evaluate(comeBack, { url: origins.server.url, transports });
        assert.deepEqual(outcome, { recovered: true, isSame: true, transport: transports.at(-1) });
        await page.context().close();
      });
    }
  }
});
