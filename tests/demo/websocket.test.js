// The browser's own WebSocket, from the server's page and from a page of another origin.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";

import { launchBrowser, PATIENCE } from "./person.js";
import { startServer } from "./server.js";

/** In the page: a WebSocket, what it receives, and a way to wait for the next message. */
function connect(url) {
  const heard = [];
  let wake = () => {};
  const add = (item) => (heard.push(item), wake());
  const socket = new WebSocket(url);
  socket.onmessage = ({ data }) => add(data);
  socket.onclose = ({ code, reason, wasClean }) => add({ code, reason, wasClean });
  window.socket = socket;
  window.next = async () => {
    while (heard.length === 0) await new Promise((resolve) => (wake = resolve));
    return heard.shift();
  };
  return new Promise((resolve) => {
    socket.addEventListener("open", () => resolve(true));
    socket.addEventListener("close", () => resolve(false));
  });
}

describe("the browser's WebSocket", { timeout: 120_000 }, () => {
  let data;
  let server;
  let browser;

  before(async () => {
    data = await mkdtemp(join(tmpdir(), "sockeye-websocket-"));
    server = await startServer({ data });
    browser = await launchBrowser();
  });

  after(async () => {
    await browser?.close();
    await server?.kill();
    if (data !== undefined) await rm(data, { recursive: true, force: true });
  });

  /** A page in a separate browser context, with a WebSocket if it may connect. */
  async function arrives(path, origin = server.url) {
    const page = await (await browser.newContext()).newPage();
    page.setDefaultTimeout(PATIENCE);
    await page.goto(origin);
    const isOpen = await page.evaluate(connect, server.url.replace("http", "ws") + path);
    return {
      isOpen,
      send: (text) => page.evaluate((text) => window.socket.send(text), text),
      next: () => page.evaluate(() => window.next()),
      envelope: async () => JSON.parse(await page.evaluate(() => window.next())),
    };
  }

  it("uses texts at / and envelopes at /ws, and both receive each other's messages", async () => {
    const [text, envelopes] = [await arrives("/"), await arrives("/ws")];
    await text.send("hello");
    assert.equal(await text.next(), "hello");
    await envelopes.send(JSON.stringify({ eventType: "ClientEvent", event: "Register", requestData: { name: "Ada" } }));
    assert.equal((await envelopes.envelope()).event, "session");
    const reply = await envelopes.envelope();
    assert.deepEqual([reply.event, reply.success, reply.data.user.name], ["Register", true, "Ada"]);
    await text.send("☃");
    let pushed;
    do pushed = await envelopes.envelope();
    while (pushed.event !== "message");
    assert.deepEqual(pushed, { eventType: "ServerEvent", event: "message", data: "☃" });
    await envelopes.send(JSON.stringify({ eventType: "ClientEvent", event: "Unregister" }));
    let last;
    do last = await envelopes.next();
    while (typeof last === "string");
    assert.deepEqual(last, { code: 1000, reason: "unregistered", wasClean: true });
  });

  it("is refused to a page of another origin", async () => {
    const foreign = createServer((_, response) => response.setHeader("content-type", "text/html").end("<p>hello")).listen(0, "127.0.0.1");
    await new Promise((resolve) => foreign.once("listening", resolve));
    try {
      const page = await arrives("/ws", `http://127.0.0.1:${foreign.address().port}`);
      assert.equal(page.isOpen, false);
      assert.equal((await page.next()).code, 1006);
    } finally {
      foreign.closeAllConnections();
      foreign.close();
    }
  });

  it("is notified that the server is closing", async () => {
    const page = await arrives("/ws");
    await page.send("hello");
    assert.equal(await page.next(), "hello");
    const stopped = server.stop();
    assert.deepEqual(await page.next(), { code: 1001, reason: "server-closing", wasClean: true });
    await stopped;
  });
});
