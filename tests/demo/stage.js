// The common setup of most suites: a server on a temporary folder, and a browser.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { launchBrowser, Person } from "./person.js";
import { startServer } from "./server.js";

/** A phone with a touch screen. */
export const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };

export class Stage {
  static async set(settings = {}) {
    const data = await mkdtemp(join(tmpdir(), "sockeye-demo-"));
    const server = await startServer({ data, settings });
    return new Stage(data, settings, server, await launchBrowser());
  }

  constructor(data, settings, server, browser) {
    this.data = data;
    this.settings = settings;
    this.server = server;
    this.browser = browser;
  }

  /** A user who has opened the demo and is not signed in. */
  arrives(name, options) {
    return Person.arrives(this.browser, this.server.url, name, options);
  }

  /** A user who is in the lobby. */
  async enters(name, options) {
    const person = await this.arrives(name, options);
    await person.signsIn();
    return person;
  }

  /** Restarts the server at the same address, with other settings if given. */
  async restart(settings = this.settings) {
    this.settings = settings;
    this.server = await startServer({ data: this.data, port: this.server.port, settings: this.settings });
  }

  async clear() {
    await this.browser.close();
    await this.server.kill();
    await rm(this.data, { recursive: true, force: true });
  }
}
