// The pages that the server serves, under their Content-Security-Policy: they work and cannot be framed.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";

import { launchBrowser, PATIENCE, Person } from "./person.js";
import { startServer } from "./server.js";

describe("the server's pages", { timeout: 120_000 }, () => {
  let data;
  let server;
  let browser;

  before(async () => {
    data = await mkdtemp(join(tmpdir(), "sockeye-pages-"));
    server = await startServer({ data });
    browser = await launchBrowser();
  });

  after(async () => {
    await browser?.close();
    await server?.kill();
    if (data !== undefined) await rm(data, { recursive: true, force: true });
  });

  /** A page, the errors on its console, and the violations of its policy. */
  async function open() {
    const context = await browser.newContext();
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE);
    const complaints = [];
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(String(error)));
    await page.exposeFunction("complain", (text) => complaints.push(text));
    await page.addInitScript(() => {
      document.addEventListener("securitypolicyviolation", (event) => globalThis.complain(`${event.violatedDirective} ${event.blockedURI}`));
    });
    return { page, context, complaints };
  }

  for (const path of ["/", "/favicon.svg", "/nowhere", "/api/docs/", "/api/docs/swagger-ui.css", "/api/openapi.json"]) {
    it(`send headers with ${path} that forbid unused features`, async () => {
      const { headers } = await fetch(server.url + path);
      const policy = headers.get("content-security-policy");
      for (const directive of ["default-src 'none'", "script-src 'self'", "connect-src 'self'", "base-uri 'none'", "frame-ancestors 'none'"]) {
        assert.ok(policy.split("; ").includes(directive), `${directive} in ${policy}`);
      }
      assert.doesNotMatch(policy, /unsafe|\*|https?:/);
      assert.equal(headers.get("x-content-type-options"), "nosniff");
    });
  }

  it("send nosniff with answers of the API too", async () => {
    for (const path of ["/api/messages?room=lobby", "/api/nowhere", "/api/events"]) {
      assert.equal((await fetch(server.url + path)).headers.get("x-content-type-options"), "nosniff", path);
    }
  });

  it("chat without console errors or violations", async () => {
    const { page, context, complaints } = await open();
    const opening = page.waitForEvent("websocket");
    await page.goto(server.url);
    const ada = new Person(context, page, "Ada");
    await ada.signsIn();
    await ada.composer.fill("hello from a page with a policy");
    await ada.composer.press("Enter");
    await ada.sees(ada.row("hello from a page with a policy"));
    // In a policy, 'self' includes WebSockets.
    const websocket = await opening;
    await websocket.waitForEvent("framereceived", { timeout: PATIENCE });
    assert.ok(await page.evaluate(() => [...document.querySelectorAll("[style]")].length > 0), "styles that scripts set are there");
    assert.deepEqual(complaints, []);
    await context.close();
  });

  it("describe the API and try it without console errors or violations", async () => {
    const { page, context, complaints } = await open();
    await page.goto(`${server.url}/api/docs/`);
    const operation = page.locator(".opblock-get", { has: page.locator('[data-path="/api/users"]') });
    await operation.locator(".opblock-summary").click();
    await operation.getByRole("button", { name: "Try it out" }).click();
    await operation.getByRole("button", { name: "Execute" }).click();
    await operation.locator(".live-responses-table .response-col_status", { hasText: "200" }).waitFor();
    assert.match(await operation.locator(".request-url").innerText(), /\/api\/users$/);
    await page.getByRole("button", { name: "Authorize" }).click();
    await page.locator(".modal-ux").waitFor();
    assert.deepEqual(complaints, []);
    await context.close();
  });

  it("name each operation uniquely", async () => {
    const { paths } = await (await fetch(`${server.url}/api/openapi.json`)).json();
    const ids = Object.values(paths).flatMap((path) => Object.values(path).map(({ operationId }) => operationId));
    assert.ok(ids.length > 10 && ids.every((id) => typeof id === "string"));
    assert.equal(new Set(ids).size, ids.length, ids.join());
  });

  it("run no foreign script", async () => {
    for (const path of ["/", "/api/docs/"]) {
      const { page, context, complaints } = await open();
      await page.goto(server.url + path);
      await page.evaluate(() => {
        const script = document.createElement("script");
        script.textContent = "globalThis.wasRun = true";
        document.body.append(script);
      });
      assert.equal(await page.evaluate(() => globalThis.wasRun), undefined);
      assert.ok(complaints.length > 0, "the policy said so");
      await context.close();
    }
  });

  it("cannot be framed", async () => {
    const frames = ["/", "/api/docs/"].map((path) => `<iframe src="${server.url}${path}"></iframe>`).join("");
    const other = createServer((_, response) => response.setHeader("content-type", "text/html").end(frames)).listen(0, "127.0.0.1");
    await new Promise((resolve) => other.once("listening", resolve));
    const { page, context, complaints } = await open();
    await page.goto(`http://127.0.0.1:${other.address().port}`);
    assert.equal(complaints.filter((text) => text.includes("frame-ancestors")).length, 2, complaints.join());
    for (const frame of page.frames().slice(1)) assert.match(frame.url(), /^chrome-error:/);
    await context.close();
    other.closeAllConnections();
    other.close();
  });
});
