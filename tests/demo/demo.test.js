// Two people use the demo, against the real binary. The tests run in order: each begins in the state in which the
// previous one ended.

import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

import { launchBrowser, Person } from "./person.js";
import { startServer } from "./server.js";

const ARTIFACTS = fileURLToPath(new URL("artifacts/", import.meta.url));

describe("the demo", { timeout: 300_000 }, () => {
  let data;
  let server;
  let browser;
  let ada;
  let ben;
  let hasFailed = false;

  before(async () => {
    await mkdir(ARTIFACTS, { recursive: true });
    data = await mkdtemp(join(tmpdir(), "sockeye-demo-"));
    server = await startServer({ data });
    browser = await launchBrowser();
    ada = await Person.arrives(browser, server.url, "Ada");
    ben = await Person.arrives(browser, server.url, "Ben");
  });

  after(async () => {
    await browser?.close();
    await server?.kill();
    if (data !== undefined) await rm(data, { recursive: true, force: true });
  });

  // The screens at the first failure, which help to understand it.
  afterEach(async (context) => {
    if (context.passed !== false || hasFailed) return;
    hasFailed = true;
    await ada?.page.screenshot({ path: join(ARTIFACTS, "failed-ada.png") }).catch(() => {});
    await ben?.page.screenshot({ path: join(ARTIFACTS, "failed-ben.png") }).catch(() => {});
  });

  /** Asserts that both see exactly these last messages, each once, with the same ids. */
  async function bothSee(...expected) {
    for (const person of [ada, ben]) {
      await person.seesSaid(expected.at(-1));
      const texts = await person.texts();
      assert.deepEqual(texts.slice(-expected.length), expected, person.name);
      const ids = await person.ids();
      assert.equal(new Set(ids).size, ids.length, `${person.name} sees a message twice`);
    }
    const count = expected.length;
    assert.deepEqual((await ada.ids()).slice(-count), (await ben.ids()).slice(-count));
  }

  it("signs two people in by name, and shows each that the other is online", async () => {
    await ada.signsIn();
    await ben.signsIn();
    await ada.sees(ada.online(ben));
    await ben.sees(ben.online(ada));
  });

  it("shows a message to both, once", async () => {
    await ada.says("Good morning, Ben");
    await ben.seesSaid("Good morning, Ben");
    await ben.says("Good morning, Ada");
    await bothSee("Good morning, Ben", "Good morning, Ada");
  });

  it("shows who is typing until they have sent it", async () => {
    await ben.composer.pressSequentially("Wait");
    await ada.sees(ada.page.getByTestId("typing").getByText("Ben is typing"));
    await ben.composer.press("Enter");
    await ada.seesSaid("Wait");
    await ada.seesGone(ada.page.getByTestId("typing").getByText("Ben is typing"));
  });

  it("counts unread messages in a room that is not open", async () => {
    await ada.joins("harbour");
    await ben.joins("harbour");
    await ada.sees(ada.online(ben));
    await ben.opens("lobby");
    await ada.says("The first boat is in");
    await ada.says("And the second");
    await ben.sees(ben.room("harbour").getByTestId("unread").getByText("2"));
    await ben.opens("harbour");
    await bothSee("The first boat is in", "And the second");
    await ben.seesGone(ben.room("harbour").getByTestId("unread"));
  });

  it("edits the user's last message with the arrow key, for both", async () => {
    await ada.says("The third is lat");
    await ada.seesSaid("The third is lat");
    await ada.composer.press("ArrowUp");
    const editor = ada.page.getByRole("textbox", { name: /^Edit your message/ });
    await editor.fill("The third is late");
    await editor.press("Enter");
    await ben.seesSaid("The third is late (edited)");
    await ada.seesSaid("The third is late (edited)");
    await bothSee("The first boat is in", "And the second", "The third is late");
  });

  it("cancels an edit with Escape", async () => {
    await ada.composer.press("ArrowUp");
    const editor = ada.page.getByRole("textbox", { name: /^Edit your message/ });
    await editor.fill("Nobody will read this");
    await editor.press("Escape");
    await ada.seesGone(editor);
    await bothSee("And the second", "The third is late");
  });

  it("deletes the user's own message for both, after a confirmation", async () => {
    const row = ada.row("And the second");
    await row.hover();
    await row.getByRole("button", { name: /^Delete your message/ }).click();
    await row.getByRole("button", { name: /^Delete your message/ }).click();
    await ada.sees(ada.page.locator('[data-state="deleted"]'));
    await ben.sees(ben.page.locator('[data-state="deleted"]'));
    await bothSee("The first boat is in", "(deleted)", "The third is late");
    assert.equal(await ben.row("The first boat is in").getByRole("button").count(), 0, "Ben may not touch Ada's");
  });

  it("sends a direct message to one user only, and shows when it was read", async () => {
    await ada.page.getByRole("link", { name: "Write to Ben" }).click();
    await ada.sees(ada.page.getByRole("heading", { name: "Ben" }));
    await ada.says("Between us: lunch?");
    await ada.seesSaid("Between us: lunch?");
    await ben.sees(ben.room("dm:name:ada").getByTestId("unread").getByText("1"));
    assert.equal(await ada.page.getByText("Seen", { exact: true }).count(), 0);
    await ben.opens("dm:name:ada");
    await ben.seesSaid("Between us: lunch?");
    await ada.sees(ada.page.getByText("Seen", { exact: true }));
    await ben.says("At noon");
    await bothSee("Between us: lunch?", "At noon");
  });

  it("counts several devices as one user", async () => {
    await ada.opens("lobby");
    await ben.opens("lobby");
    const tab = new Person(ada.context, await ada.context.newPage(), "Ada");
    await tab.page.goto(server.url);
    await tab.seesSaid("Good morning, Ada");
    await tab.says("From my other tab");
    await bothSee("Wait", "From my other tab");
    await tab.sees(tab.online(ben));
    assert.equal(await ben.page.getByTestId("online-user").count(), 2);
    assert.equal(await tab.page.getByTestId("online-user").count(), 2);
    await tab.page.close();
    await ben.says("Which one?");
    await bothSee("From my other tab", "Which one?");
    assert.equal(await ben.online(ada).count(), 1, "Ada is still here with the first one");
  });

  it("restores user, room and messages after a reload", async () => {
    await ben.opens("harbour");
    const before = await ben.texts();
    await ben.page.reload();
    await ben.seesSaid("The third is late");
    assert.deepEqual(await ben.texts(), before);
    await ben.sees(ben.room("dm:name:ada"));
    await ben.opens("lobby");
    await bothSee("From my other tab", "Which one?");
  });

  it("loads earlier messages on scrolling up, and keeps the scroll position", async () => {
    for (let line = 1; line <= 70; line += 1) await ada.says(`Line ${line} of a long story`);
    await ben.seesSaid("Line 70 of");
    await ada.seesSaid("Line 70 of");
    await ben.page.reload();
    await ben.seesSaid("Line 70 of");
    assert.equal(await ben.row("Line 2 of").count(), 0, "only the last page is there at first");
    const topBefore = await ben.messages.evaluate((list) => {
      list.scrollTop = 0;
      return list.querySelector('[data-testid="message"]').dataset.messageId;
    });
    await ben.sees(ben.row("Good morning, Ben").or(ben.page.getByText("Line 2 of")));
    // The first line from before is still visible, although others are above it now.
    const isInSight = await ben.messages.evaluate((list, id) => {
      const row = list.querySelector(`[data-message-id="${id}"]`).getBoundingClientRect();
      const box = list.getBoundingClientRect();
      return row.top >= box.top - row.height && row.bottom <= box.bottom + row.height;
    }, topBefore);
    assert.ok(isInSight, "the line one was reading has moved away");
    const texts = await ben.texts();
    assert.equal(new Set(texts.filter((text) => text.startsWith("Line"))).size, 70);
    await ben.page.getByRole("button", { name: "Newest" }).click();
  });

  it("survives kill -9: messages written meanwhile arrive once, and none is lost or duplicated", async () => {
    await server.kill();
    await ada.sees(ada.banner);
    await ben.sees(ben.banner);
    await ada.says("Written into the void");
    await ada.seesSaid("Written into the void", "pending");
    await ada.page.screenshot({ path: join(ARTIFACTS, "server-gone.png") });

    server = await startServer({ data, port: server.port });
    await ada.seesGone(ada.banner);
    await ben.seesGone(ben.banner);
    await ben.seesSaid("Written into the void");
    await ada.seesSaid("Written into the void");
    // The fence: any duplicate has arrived by now.
    await ben.says("Got it");
    await bothSee("Line 69 of a long story", "Line 70 of a long story", "Written into the void", "Got it");

    await ben.opens("harbour");
    await ada.opens("harbour");
    await bothSee("The first boat is in", "(deleted)", "The third is late");
    await ben.opens("lobby");
    await ada.opens("lobby");
  });

  it("keeps unsent messages over a reload without a connection", async () => {
    // The page itself comes from the server, so only the connection is cut.
    await ada.page.route("**/socket.io/**", (route) => route.abort());
    await ada.context.setOffline(true);
    await ada.sees(ada.banner);
    await ada.says("Still in my pocket");
    await ada.seesSaid("Still in my pocket", "pending");
    await ada.context.setOffline(false);
    await ada.page.reload();
    await ada.sees(ada.banner);
    await ada.seesSaid("Still in my pocket", "pending");
    await ada.page.unroute("**/socket.io/**");
    await ada.seesGone(ada.banner);
    await bothSee("Got it", "Still in my pocket");
  });

  it("loads exactly the messages that one user missed: new, edited and deleted", async () => {
    await ada.says("Old one, to be edited");
    await ada.says("Old one, to be deleted");
    await bothSee("Old one, to be edited", "Old one, to be deleted");
    const before = await ben.texts();

    await ben.context.setOffline(true);
    await ben.sees(ben.banner);
    const edited = ada.row("Old one, to be edited");
    await edited.hover();
    await edited.getByRole("button", { name: /^Edit your message/ }).click();
    const editor = ada.page.getByRole("textbox", { name: /^Edit your message/ });
    await editor.fill("Old one, now edited");
    await editor.press("Enter");
    await ada.seesSaid("Old one, now edited");
    const deleted = ada.row("Old one, to be deleted");
    await deleted.hover();
    await deleted.getByRole("button", { name: /^Delete your message/ }).click();
    await deleted.getByRole("button", { name: /^Delete your message/ }).click();
    await ada.seesGone(ada.row("Old one, to be deleted"));
    await ada.says("New while you were away");
    await ada.seesSaid("New while you were away");
    assert.deepEqual(await ben.texts(), before, "Ben is offline and sees what he saw");

    await ben.context.setOffline(false);
    await ben.seesGone(ben.banner);
    await bothSee("Old one, now edited", "(deleted)", "New while you were away");
    assert.deepEqual(await ben.texts(), [
      ...before.slice(0, -2),
      "Old one, now edited",
      "(deleted)",
      "New while you were away",
    ]);
  });

  it("does not save a message twice if only the acknowledgement was lost", async () => {
    let isDeaf = false;
    const lines = [];
    let upgrade;
    const isUpgraded = new Promise((resolve) => {
      upgrade = resolve;
    });
    const dora = await Person.arrives(browser, "about:blank", "Dora");
    await dora.page.routeWebSocket(/socket\.io/, (line) => {
      const far = line.connectToServer();
      lines.push(line);
      far.onMessage((frame) => {
        if (!isDeaf) line.send(frame);
      });
      line.onMessage((frame) => {
        far.send(frame);
        if (frame === "5") upgrade();
      });
    });
    await dora.page.goto(server.url);
    await dora.signsIn();
    await dora.seesSaid("New while you were away");
    // Polling also receives the event, until the connection is upgraded.
    await isUpgraded;
    await dora.says("Do you hear me?");
    await bothSee("New while you were away", "Do you hear me?");
    await dora.seesSaid("Do you hear me?");

    isDeaf = true;
    await dora.says("Saved, but who knows");
    await bothSee("Do you hear me?", "Saved, but who knows");
    await dora.seesSaid("Saved, but who knows", "pending");
    isDeaf = false;
    for (const line of lines) await line.close();
    await dora.seesSaid("Saved, but who knows");
    await dora.says("Now I do");
    await bothSee("Do you hear me?", "Saved, but who knows", "Now I do");
    await dora.seesSaid("Now I do");
    assert.equal(await dora.row("Saved, but who knows").count(), 1);
    assert.deepEqual(dora.errors, []);
    await dora.leaves();
    await ada.seesGone(ada.online(dora));
  });

  it("shows that the server is restarting if the server announced it, and reconnects", async () => {
    const stopped = server.stop();
    await ada.sees(ada.banner.filter({ hasText: "restart" }));
    await stopped;
    await ada.sees(ada.banner.filter({ hasText: "restarting" }));
    server = await startServer({ data, port: server.port });
    await ada.seesGone(ada.banner);
    await ben.seesGone(ben.banner);
    await ben.says("Back again");
    await bothSee("Now I do", "Back again");
  });

  it("fits a phone: the list, the room, and no horizontal scrolling", async () => {
    const cleo = await Person.arrives(browser, server.url, "Cleo", {
      viewport: { width: 390, height: 844 },
      isMobile: true,
      hasTouch: true,
      colorScheme: "dark",
    });
    const fits = async () => {
      const { scrollWidth, innerWidth } = await cleo.page.evaluate(() => ({
        scrollWidth: document.documentElement.scrollWidth,
        innerWidth: window.innerWidth,
      }));
      assert.ok(scrollWidth <= innerWidth, `${scrollWidth} pixels on a screen of ${innerWidth}`);
    };
    await fits();
    await cleo.page.getByTestId("sign-in-name").fill(cleo.name);
    await cleo.page.getByRole("button", { name: "Sign in" }).click();
    await cleo.sees(cleo.room("lobby"));
    await fits();
    await cleo.room("lobby").tap();
    await cleo.seesSaid("Back again");
    await cleo.says(`A word as long as a river: ${"stream".repeat(40)}`);
    await ada.seesSaid("A word as long as a river");
    await fits();
    await cleo.page.screenshot({ path: join(ARTIFACTS, "phone.png") });
    await cleo.page.getByRole("button", { name: "People" }).tap();
    await cleo.sees(cleo.online(ada));
    await fits();
    await cleo.page.getByRole("button", { name: "Close the list of people" }).tap();
    await cleo.page.getByRole("button", { name: "All conversations" }).tap();
    await cleo.sees(cleo.room("lobby"));
    assert.deepEqual(cleo.errors, []);
    await cleo.leaves();
    await ada.seesGone(ada.online(cleo));
  });

  it("signs out, and goes offline for the others", async () => {
    await ben.page.getByRole("button", { name: "Sign out" }).click();
    await ben.sees(ben.page.getByTestId("sign-in-name"));
    await ada.seesGone(ada.online(ben));
    await ada.page.screenshot({ path: join(ARTIFACTS, "conversation.png") });
  });

  it("has thrown no error in any browser", () => {
    assert.deepEqual([...ada.errors, ...ben.errors], []);
  });
});
