// A user in front of a browser: their actions, and what they see.

import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { chromium } from "playwright-core";

/** The timeout of every wait, in milliseconds; generous, because only a failure uses it up. */
export const PATIENCE = 30_000;

const NAMES = ["chromium", "chromium-browser", "google-chrome", "chrome"];

export function launchBrowser() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? found(),
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

function found() {
  const paths = (process.env.PATH ?? "").split(delimiter).flatMap((folder) => NAMES.map((name) => join(folder, name)));
  const path = paths.find((candidate) => {
    try {
      accessSync(candidate, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  if (path === undefined) throw new Error(`none of ${NAMES.join(", ")} is on the PATH; name one in CHROMIUM`);
  return path;
}

export class Person {
  /** Opens the demo in a separate browser context: separate cookies and storage, like another computer. */
  static async arrives(browser, url, name, options = {}) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
    const person = new Person(context, await context.newPage(), name);
    await person.page.goto(url);
    return person;
  }

  constructor(context, page, name) {
    this.context = context;
    this.page = page;
    this.name = name;
    this.id = `name:${name.toLowerCase()}`;
    /** The uncaught errors of the page. */
    this.errors = [];
    page.setDefaultTimeout(PATIENCE);
    page.on("pageerror", (error) => this.errors.push(`${name}: ${error}`));
  }

  /** Signs in by name and opens the lobby: a phone shows the list of rooms first. */
  async signsIn() {
    await this.page.getByTestId("sign-in-name").fill(this.name);
    await this.page.getByTestId("sign-in-name").press("Enter");
    await this.isIn();
  }

  async isIn() {
    await this.sees(this.room("lobby"));
    if (await this.composer.isHidden()) return;
    await this.sees(this.page.locator(`[data-user-id="${this.id}"]`));
  }

  get composer() {
    return this.page.getByTestId("composer");
  }

  get banner() {
    return this.page.getByTestId("connection-banner");
  }

  get messages() {
    return this.page.getByTestId("messages");
  }

  /** The rows with this text, in any state. */
  row(words) {
    return this.page.getByTestId("message").filter({ hasText: words });
  }

  room(name) {
    return this.page.locator(`[data-testid="room"][data-room="${name}"]`);
  }

  online(person) {
    return this.page.locator(`[data-testid="online-user"][data-user-id="${person.id}"]`);
  }

  async says(words) {
    await this.composer.fill(words);
    await this.composer.press("Enter");
  }

  async opens(room) {
    await this.room(room).click();
    await this.sees(this.page.locator(`[data-testid="room"][data-room="${room}"][aria-current="page"]`));
  }

  async joins(room) {
    await this.page.getByRole("textbox", { name: "Join or create a room" }).fill(room);
    await this.page.getByRole("button", { name: "Join room" }).click();
    await this.sees(this.page.getByRole("heading", { name: room }));
  }

  async sees(locator) {
    await locator.first().waitFor({ state: "visible" });
  }

  async seesGone(locator) {
    await locator.first().waitFor({ state: "detached" });
  }

  /** Waits for a message in this state. */
  async seesSaid(words, state = "saved") {
    await this.sees(this.page.locator(`[data-testid="message"][data-state="${state}"]`).filter({ hasText: words }));
  }

  /** The texts of all visible messages in order; deleted ones as `(deleted)`. */
  texts() {
    return this.page.getByTestId("message").evaluateAll((rows) =>
      rows.map((row) => {
        if (row.dataset.state === "deleted") return "(deleted)";
        const text = row.querySelector(".message-text")?.cloneNode(true);
        text?.querySelector(".message-edited")?.remove();
        return text?.textContent ?? "";
      }),
    );
  }

  /** The ids of all visible messages. */
  ids() {
    return this.page.getByTestId("message").evaluateAll((rows) => rows.map((row) => row.dataset.messageId));
  }

  async leaves() {
    await this.context.close();
  }
}
