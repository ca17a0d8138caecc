// A server in a browser: in its own page, and in a page of another origin that it allows.

import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { launchBrowser, PATIENCE } from "./person.js";
import { startServer } from "./server.js";

export const PAGES = ["the server's page", "a page of another origin"];

export class TwoOrigins {
  #data;
  #foreign;

  async open() {
    this.#data = await mkdtemp(join(tmpdir(), "sockeye-origins-"));
    this.#foreign = createServer((request, response) => {
      response.setHeader("content-type", "text/html; charset=utf-8").end("<title>elsewhere</title>");
    });
    await new Promise((resolve) => this.#foreign.listen(0, "127.0.0.1", resolve));
    this.origin = `http://127.0.0.1:${this.#foreign.address().port}`;
    this.server = await startServer({ data: this.#data, settings: { "cors.origins": this.origin } });
    this.browser = await launchBrowser();
  }

  /** One of `PAGES`, in a separate browser context. */
  async page(where, options) {
    const page = await (await this.browser.newContext(options)).newPage();
    page.setDefaultTimeout(PATIENCE);
    await page.goto(where === PAGES[0] ? this.server.url : this.origin);
    return page;
  }

  async close() {
    await this.browser?.close();
    await this.server?.kill();
    this.#foreign?.close();
    if (this.#data !== undefined) await rm(this.#data, { recursive: true, force: true });
  }
}
