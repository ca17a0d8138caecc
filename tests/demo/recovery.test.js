// The official client in a browser is recognised as recoverable: over each transport, and from another origin too.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { PAGES, TwoOrigins } from "./two-origins.js";

/** In the page: connects, loses the connection, and reconnects. Returns whether it was recovered, and the transport. */
async function comeBack({ url, transports }) {
  const socket = window.io(url, { transports, reconnectionDelay: 10 });
  const connected = () => new Promise((resolve) => socket.once("connect", resolve));
  await connected();
  const { engine } = socket.io;
  if (engine.transport.name !== transports.at(-1)) await new Promise((resolve) => engine.once("upgrade", resolve));
  const [id, transport] = [socket.id, engine.transport.name];
  // The offset of the last event; without an offset the client cannot be recovered.
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
