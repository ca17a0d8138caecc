// The README's `fetchChatUsers()` in a browser: from a page of an allowed origin, and from another one.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";

import { Chapter } from "../clients/readme.js";
import { launchBrowser, PATIENCE } from "./person.js";
import { issueToken, startServer } from "./server.js";

const TOKENS = { "auth.mode": "jwt", "auth.secret": "a secret of the tests, longer than 32 bytes" };

/** In the page: brings its user online. */
function register([url, token]) {
  const socket = new WebSocket(url);
  socket.onopen = () => socket.send(JSON.stringify({ eventType: "ClientEvent", event: "Register", requestData: { token } }));
  return new Promise((resolve) => {
    socket.onmessage = ({ data }) => {
      const { event, success } = JSON.parse(data);
      if (event === "Register") resolve(success);
    };
    socket.onclose = () => resolve(false);
  });
}

/** A server with one page, on a separate origin. */
async function servePage() {
  const server = createServer((_, response) => response.setHeader("content-type", "text/html").end("<p>hello")).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

describe("the HTTP API in a browser", { timeout: 120_000 }, () => {
  let data;
  let ours;
  let foreign;
  let server;
  let browser;

  before(async () => {
    data = await mkdtemp(join(tmpdir(), "sockeye-http-api-"));
    [ours, foreign] = [await servePage(), await servePage()];
    server = await startServer({ data, settings: { ...TOKENS, "cors.origins": ours.origin } });
    browser = await launchBrowser();
  });

  after(async () => {
    await browser?.close();
    await server?.kill();
    for (const page of [ours, foreign]) page?.close();
    if (data !== undefined) await rm(data, { recursive: true, force: true });
  });

  /**
   * Runs the snippet in a page of this origin, whose user is online if the origin may connect. Returns the result or
   * the error, and the methods and statuses of the responses.
   */
  async function fetchChatUsers(origin, token) {
    const snippet = (await Chapter.of("HTTP API")).take("js", "fetchChatUsers").replaceAll("http://localhost:8000", server.url);
    const context = await browser.newContext();
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE);
    const answers = [];
    const devtools = await context.newCDPSession(page);
    const requests = new Map();
    await devtools.send("Network.enable");
    devtools.on("Network.requestWillBeSent", ({ requestId, request }) => requests.set(requestId, request));
    devtools.on("Network.responseReceived", ({ requestId, response }) => {
      const { method, url } = requests.get(requestId);
      if (url.startsWith(server.url)) answers.push(`${method} ${response.status}`);
    });
    await page.goto(origin);
    const isOnline = await page.evaluate(register, [`${server.url.replace("http", "ws")}/ws`, token]);
    const program = `(async () => { const token = ${JSON.stringify(token)}; ${snippet}\n return { everybody, online }; })()`;
    const result = await page.evaluate(`${program}.catch(({ name, message }) => ({ name, message }))`);
    await context.close();
    return { isOnline, result, answers };
  }

  it("answers a page of an allowed origin, after a preflight", async () => {
    const { isOnline, result, answers } = await fetchChatUsers(ours.origin, await issueToken("ada", TOKENS));
    assert.equal(isOnline, true);
    const users = [{ id: "ada", name: "ada", online: true }];
    assert.deepEqual(result, { everybody: users, online: users });
    assert.deepEqual(answers.filter((answer) => answer.startsWith("GET")), ["GET 200", "GET 200"]);
    assert.ok(answers.includes("OPTIONS 204"), answers.join());
  });

  it("lets a page of an allowed origin read the reason of a refusal", async () => {
    const { result } = await fetchChatUsers(ours.origin, "nonsense");
    assert.match(result.message, /^unauthorized: /);
  });

  it("is refused to a page of another origin, even with a valid token", async () => {
    const { result, answers } = await fetchChatUsers(foreign.origin, await issueToken("bob", TOKENS));
    assert.deepEqual(result, { name: "TypeError", message: "Failed to fetch" });
    assert.ok(!answers.some((answer) => answer.startsWith("GET")), answers.join());
  });
});
