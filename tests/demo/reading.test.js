// The position at which a room opens, the times of messages, and the focus; with mouse and keyboard.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { Stage } from "./stage.js";

describe("reading in the demo", { timeout: 300_000 }, () => {
  let stage;
  let ada;
  let ben;

  before(async () => {
    stage = await Stage.set({ "limits.events-per-second": 1000 });
    ada = await stage.enters("Ada");
    ben = await stage.enters("Ben", { locale: "en-US" });
  });

  after(() => stage?.clear());

  const line = (person) => person.page.getByText("New messages", { exact: true });

  /** Sends many messages, and waits until the last one is saved. */
  async function tells(person, words, count) {
    for (let number = 1; number <= count; number += 1) await person.says(`${words} ${number}`);
    await person.seesSaid(`${words} ${count}`);
  }

  /** Asserts that the line is at the top of the screen, and the first unread message directly below it. */
  async function beginsAt(person, words) {
    await person.sees(line(person));
    await person.seesSaid(words);
    const { lineTop, rowTop, rowBottom, top, bottom } = await person.messages.evaluate((list, wanted) => {
      const box = list.getBoundingClientRect();
      const line = list.querySelector(".separator-new").getBoundingClientRect();
      const rows = [...list.querySelectorAll('[data-testid="message"]')];
      const row = rows.find((each) => each.querySelector(".message-text")?.textContent === wanted).getBoundingClientRect();
      return { lineTop: line.top, rowTop: row.top, rowBottom: row.bottom, top: box.top, bottom: box.bottom };
    }, words);
    assert.ok(lineTop >= top - 1 && lineTop < top + 120, `the line is at ${lineTop}, the list at ${top}`);
    assert.ok(rowTop > lineTop && rowBottom < bottom, `${words} is at ${rowTop}, the line at ${lineTop}`);
  }

  const badge = (person, room) => person.room(room).getByTestId("unread");

  it("opens at the first of 30 unread messages, below a line, and marks them as read at the end", async () => {
    await ada.joins("harbour");
    await tells(ada, "Old", 30);
    await ben.joins("harbour");
    await ben.seesSaid("Old 30");
    assert.equal(await line(ben).count(), 0, "whoever comes for the first time has nothing unread");
    await ben.opens("lobby");
    await tells(ada, "Fresh", 30);
    await ben.sees(badge(ben, "harbour").getByText("30"));
    await ben.opens("harbour");
    await beginsAt(ben, "Fresh 1");
    await ben.page.getByRole("button", { name: "30 new" }).click();
    await ben.seesGone(ben.page.getByRole("button", { name: "30 new" }));
    await ben.opens("lobby");
    await ben.sees(ben.page.locator('[data-room="harbour"][data-unread="false"]'));
  });

  it("opens there after a reload, and with more than a page of them", async () => {
    await tells(ada, "Later", 80);
    await ben.sees(badge(ben, "harbour").getByText("80"));
    await ben.page.goto(`${stage.server.url}/#/harbour`);
    await ben.page.reload();
    await beginsAt(ben, "Later 1");
    assert.ok((await ben.texts()).includes("Fresh 30"), "what was said before is above");
    await ben.page.getByRole("button", { name: "80 new" }).press("Enter");
    await ben.seesGone(ben.page.getByRole("button", { name: "80 new" }));
    await ben.sees(ben.page.locator('[aria-label="Messages"]:focus'));
    await ben.opens("lobby");
  });

  it("opens at the end if all unread messages fit on the screen", async () => {
    await tells(ada, "Few", 2);
    await ben.sees(badge(ben, "harbour").getByText("2"));
    await ben.opens("harbour");
    await ben.sees(line(ben));
    await ben.seesSaid("Few 2");
    await ben.seesGone(ben.page.getByRole("button", { name: /new$|Newest/ }));
    await ben.opens("lobby");
    await ben.sees(ben.page.locator('[data-room="harbour"][data-unread="false"]'));
  });

  it("continues at the first unread message after a reconnect in the open room", async () => {
    await ben.opens("harbour");
    await ben.context.setOffline(true);
    await ben.sees(ben.banner);
    await tells(ada, "Missed", 30);
    await ben.context.setOffline(false);
    await ben.seesGone(ben.banner);
    await beginsAt(ben, "Missed 1");
    await ben.page.getByRole("button", { name: "30 new" }).click();
    await ben.seesGone(ben.page.getByRole("button", { name: "30 new" }));
  });

  it("continues at the first unread message after the page was hidden", async () => {
    // A page in the background: it is not visible, and everything else continues.
    await ben.page.evaluate(() => {
      document.hasFocus = () => false;
      window.dispatchEvent(new Event("blur"));
    });
    await tells(ada, "Behind", 30);
    await ben.seesSaid("Behind 30");
    await beginsAt(ben, "Behind 1");
    await ben.page.evaluate(() => {
      delete document.hasFocus;
      window.dispatchEvent(new Event("focus"));
    });
    await ben.sees(ben.page.getByRole("button", { name: "30 new" }));
    await ben.page.getByRole("button", { name: "30 new" }).click();
  });

  it("shows times in one form", async () => {
    const times = await ben.page.locator(".messages time").evaluateAll((all) => all.map((time) => time.textContent));
    const gutters = await ben.page.locator(".message-gutter").count();
    assert.ok(gutters > 0 && times.length > gutters, "both kinds of rows are there");
    for (const time of times) assert.match(time, /^\d{1,2}:\d\d\s[AP]M$/u);
    // Times overlap neither the list's margin nor the text.
    const row = ben.row("Behind 30");
    await row.hover();
    const [gutter, text, list] = await Promise.all(
      [row.locator(".message-gutter"), row.locator(".message-text"), ben.messages].map((part) => part.boundingBox()),
    );
    assert.ok(gutter.x >= list.x && gutter.x + gutter.width <= text.x);
  });

  it("uses the browser's 12 or 24 hour clock, with English texts", async () => {
    const greta = await stage.enters("Greta", { locale: "de-DE" });
    await greta.joins("harbour");
    await greta.seesSaid("Behind 30");
    for (const time of await greta.page.locator(".messages time").all()) {
      assert.match(await time.textContent(), /^\d\d:\d\d$/u);
      assert.match(await time.getAttribute("title"), /day/u);
    }
    assert.deepEqual(greta.errors, []);
    await greta.leaves();
  });

  it("moves the focus to the next message after a deletion, and labels the buttons with their message", async () => {
    await ben.opens("lobby");
    await ben.says("To be deleted");
    await ben.says("The next one");
    await ben.seesSaid("The next one");
    const row = ben.row("To be deleted");
    await row.getByRole("button", { name: "Edit your message: To be deleted", exact: true }).waitFor();
    const remove = row.getByRole("button", { name: "Delete your message: To be deleted", exact: true });
    await remove.focus();
    await ben.page.keyboard.press("Enter");
    await ben.sees(row.getByText("Delete this message?"));
    // Escape cancels it, and the focus is back.
    await ben.page.keyboard.press("Escape");
    await ben.sees(row.locator('[title="Delete"]:focus'));
    await ben.page.keyboard.press("Enter");
    await ben.sees(row.getByText("Delete this message?"));
    await ben.page.keyboard.press("Enter");
    await ben.sees(ben.page.locator('[data-state="deleted"]'));
    await ben.sees(ben.page.locator('[data-testid="message"]:focus').filter({ hasText: "The next one" }));
    await ben.page.keyboard.press("Tab");
    await ben.sees(ben.page.locator('[aria-label="Edit your message: The next one"]:focus'));
  });

  it("moves the focus to the message box after deleting the last message", async () => {
    const remove = ben.row("The next one").getByRole("button", { name: "Delete your message: The next one", exact: true });
    await remove.focus();
    await ben.page.keyboard.press("Enter");
    await ben.page.keyboard.press("Enter");
    await ben.sees(ben.page.locator("#composer:focus"));
  });

  it("returns the focus to the start of an edit", async () => {
    await ben.says("Edit me");
    await ben.seesSaid("Edit me");
    const edit = ben.row("Edit me").getByRole("button", { name: "Edit your message: Edit me", exact: true });
    await edit.focus();
    await ben.page.keyboard.press("Enter");
    await ben.sees(ben.page.getByRole("textbox", { name: "Edit your message: Edit me" }));
    await ben.page.keyboard.press("Escape");
    await ben.sees(ben.page.locator('[data-testid="message"]:focus').filter({ hasText: "Edit me" }));
    await ben.composer.focus();
    await ben.page.keyboard.press("ArrowUp");
    await ben.sees(ben.page.getByRole("textbox", { name: "Edit your message: Edit me" }));
    await ben.page.keyboard.press("Escape");
    await ben.sees(ben.page.locator("#composer:focus"));
  });

  it("moves the focus to the message box when an unsent message is discarded", async () => {
    await ben.page.evaluate(() => {
      const refused = { key: "k1", room: "lobby", text: "Never sent", at: Date.now(), failure: "too fast" };
      sessionStorage.setItem("sockeye.outbox", JSON.stringify([refused]));
    });
    await ben.page.reload();
    await ben.seesSaid("Never sent", "failed");
    await ben.row("Never sent").getByRole("button", { name: "Discard" }).press("Enter");
    await ben.seesGone(ben.row("Never sent"));
    await ben.sees(ben.page.locator("#composer:focus"));
  });

  it("has thrown no error", () => {
    assert.deepEqual([...ada.errors, ...ben.errors], []);
  });
});
