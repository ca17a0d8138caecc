// The demo on a phone with a touch screen.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { PHONE, Stage } from "./stage.js";

describe("the demo on a phone", { timeout: 300_000 }, () => {
  let stage;
  let ada;
  let ben;

  before(async () => {
    stage = await Stage.set();
    ada = await stage.enters("Ada", PHONE);
    ben = await stage.enters("Ben");
  });

  after(() => stage?.clear());

  const button = (row, name) => row.getByRole("button", { name, exact: true });

  it("starts with a list that has a main landmark and a heading, and no conversation behind it", async () => {
    await ada.sees(ada.page.getByRole("main").getByRole("heading", { name: "Conversations", level: 1 }));
    assert.equal(await ada.page.getByRole("main").count(), 1);
    assert.equal(await ada.composer.count(), 0);
    assert.equal(await ben.page.getByRole("main").count(), 1, "on a wide screen it is the conversation");
    assert.equal(await ben.page.getByRole("heading", { level: 1 }).count(), 1);
  });

  it("has a message box with a height before any input", async () => {
    await ada.room("lobby").tap();
    await ada.sees(ada.composer);
    assert.ok((await ada.composer.boundingBox()).height >= 36);
    // The room is the visible one, without an on-screen keyboard over it.
    assert.equal(await ada.page.evaluate(() => document.activeElement.textContent), "#lobby");
  });

  it("resizes the message box when the phone is rotated", async () => {
    await ada.composer.fill("Words that are in one line on a wide screen alone. ".repeat(3));
    const upright = (await ada.composer.boundingBox()).height;
    // The same height as before, so that only the line breaks change.
    await ada.page.setViewportSize({ ...PHONE.viewport, width: 740 });
    await ada.page.waitForFunction((high) => document.getElementById("composer").clientHeight < high - 20, upright);
    await ada.page.setViewportSize(PHONE.viewport);
    await ada.page.waitForFunction((high) => document.getElementById("composer").clientHeight >= high - 1, upright);
    await ada.composer.fill("");
  });

  it("opens the actions of the user's own message by touch, and they stay open", async () => {
    await ada.says("Tap me");
    await ada.seesSaid("Tap me");
    const row = ada.row("Tap me");
    const toggle = button(row, "Edit or delete your message: Tap me");
    assert.equal(await button(row, /^Edit your message/).count(), 0);
    await toggle.tap();
    await ada.sees(button(row, "Edit your message: Tap me"));
    await ada.sees(button(row, "Delete your message: Tap me"));
    // The fence: an effect of the tap would be visible when a later message has arrived.
    await ben.says("Are they still open?");
    await ada.seesSaid("Are they still open?");
    assert.equal(await toggle.getAttribute("aria-expanded"), "true");
    assert.ok(await button(row, "Edit your message: Tap me").isVisible());
  });

  it("closes the actions with the same button, and by a tap outside", async () => {
    const row = ada.row("Tap me");
    const edit = button(row, "Edit your message: Tap me");
    const toggle = button(row, "Edit or delete your message: Tap me");
    await toggle.tap();
    await edit.waitFor({ state: "hidden" });
    await toggle.tap();
    await ada.sees(edit);
    await ada.row("Are they still open?").tap();
    await edit.waitFor({ state: "hidden" });
  });

  it("edits a message by touch", async () => {
    const row = ada.row("Tap me");
    await button(row, /^Edit or delete/).tap();
    await button(row, "Edit your message: Tap me").tap();
    await ada.page.getByRole("textbox", { name: "Edit your message: Tap me" }).fill("Tapped");
    await ada.page.getByRole("button", { name: "Save" }).tap();
    await ada.seesSaid("Tapped (edited)");
    await ben.seesSaid("Tapped (edited)");
  });

  it("deletes a message by touch after a confirmation, and keeps it on cancel", async () => {
    const row = ada.row("Tapped");
    await button(row, /^Edit or delete/).tap();
    await button(row, "Delete your message: Tapped").tap();
    await button(row, "Keep").tap();
    await button(row, "Delete your message: Tapped").tap();
    await ada.sees(row.getByText("Delete this message?"));
    await button(row, "Delete your message: Tapped").tap();
    await ada.sees(ada.page.locator('[data-state="deleted"]'));
    await ben.sees(ben.page.locator('[data-state="deleted"]'));
    assert.equal(await ada.page.evaluate(() => document.activeElement.textContent.includes("still open")), true);
  });

  it("shows the whole typing line, even with long names", async () => {
    const long = await stage.enters("Bartholomew Featherstonehaugh-Cholmondeley the Third");
    const longer = await stage.enters("Wilhelmina Marjoribanks-Fotheringay of Llanfairpwllgwyngyll");
    await long.composer.pressSequentially("a");
    await longer.composer.pressSequentially("a");
    const verb = ada.page.getByTestId("typing").getByText("are typing", { exact: true });
    await ada.sees(verb);
    const { left, right, top, bottom } = await verb.evaluate((element) => element.getBoundingClientRect().toJSON());
    const line = await ada.page.getByTestId("typing").evaluate((element) => element.getBoundingClientRect().toJSON());
    assert.ok(left >= 0 && right <= PHONE.viewport.width, `from ${left} to ${right}`);
    assert.ok(top >= line.top && bottom <= line.bottom, "cut off above or below");
    await long.leaves();
    await longer.leaves();
  });

  it("shows the users in a modal dialog", async () => {
    const opener = button(ada.page, "People");
    await opener.tap();
    const dialog = ada.page.getByRole("dialog", { name: "On this server" });
    await ada.sees(dialog);
    assert.equal(await dialog.evaluate((element) => element.matches(":modal")), true);
    // The page behind it takes no focus and is hidden from screen readers.
    await ada.composer.evaluate((field) => field.focus());
    assert.notEqual(await ada.page.evaluate(() => document.activeElement.id), "composer");
    const devtools = await ada.context.newCDPSession(ada.page);
    const { nodes } = await devtools.send("Accessibility.getFullAXTree");
    const roles = nodes.filter((node) => !node.ignored).map((node) => node.role.value);
    assert.ok(roles.includes("dialog"));
    assert.equal(roles.includes("textbox"), false);
    // After its last element the focus may go to the browser's own interface, never to the page.
    for (let key = 0; key < 8; key += 1) {
      await ada.page.keyboard.press("Tab");
      const isOutside = await ada.page.evaluate(() => {
        const { activeElement, body } = document;
        return activeElement !== body && activeElement.closest("dialog") === null;
      });
      assert.equal(isOutside, false, `after ${key + 1} tabs`);
    }
    await ada.page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    await ada.page.waitForFunction(() => document.activeElement.getAttribute("aria-label") === "People");
  });

  it("closes the dialog by a tap outside, and with the back button", async () => {
    const dialog = ada.page.getByRole("dialog", { name: "On this server" });
    await button(ada.page, "People").tap();
    await ada.sees(dialog);
    await ada.page.touchscreen.tap(20, 400);
    await dialog.waitFor({ state: "detached" });
    await button(ada.page, "People").tap();
    await ada.sees(dialog);
    await ada.page.goBack();
    await ada.sees(ada.page.getByRole("heading", { name: "Conversations" }));
    assert.equal(await ada.page.locator("dialog").count(), 0);
    assert.equal(await ada.page.evaluate(() => document.activeElement.dataset.room), "lobby", "the focus is where one was");
  });

  it("opens the direct messages with a user", async () => {
    await ada.room("lobby").tap();
    await button(ada.page, "People").tap();
    await ada.page.getByRole("dialog").getByRole("link", { name: "Write to Ben" }).tap();
    await ada.sees(ada.page.getByRole("heading", { name: "Ben", level: 1 }));
    assert.equal(await ada.page.locator("dialog").count(), 0);
  });

  it("has thrown no error", () => {
    assert.deepEqual([...ada.errors, ...ben.errors], []);
  });
});
