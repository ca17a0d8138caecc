// The demo's screens in light, dark and forced colours, checked with axe-core.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { violations } from "./axe.js";
import { lowContrast } from "./contrast.js";
import { PHONE, Stage } from "./stage.js";

describe("the demo's looks", { timeout: 300_000 }, () => {
  let stage;
  let ada;
  let ben;
  let people;

  before(async () => {
    stage = await Stage.set();
    ada = await stage.arrives("Ada", { colorScheme: "light", reducedMotion: "reduce" });
    ben = await stage.arrives("Ben", { colorScheme: "dark", reducedMotion: "reduce", ...PHONE });
    people = [ada, ben];
  });

  after(() => stage?.clear());

  const SCHEMES = ["light", "dark"];

  /** Checks the screen in both colour schemes. */
  async function isFine(person, screen) {
    for (const colorScheme of SCHEMES) {
      await person.page.emulateMedia({ colorScheme });
      assert.deepEqual(await violations(person.page), [], `${screen}, ${colorScheme}`);
      assert.deepEqual(await lowContrast(person.page), [], `${screen}, ${colorScheme}`);
    }
  }

  it("are accessible at the sign-in", async () => {
    for (const person of people) {
      await isFine(person, `${person.name}'s sign-in`);
      await person.signsIn();
    }
  });

  it("are accessible in a room", async () => {
    await ada.page.getByRole("link", { name: "Write to Ben" }).click();
    await ada.sees(ada.page.getByRole("heading", { name: "Ben", level: 1 }));
    await ada.says("Between us");
    await ada.seesSaid("Between us");
    await isFine(ada, "a direct message");
    await ben.sees(ben.room("dm:name:ada").getByTestId("unread"));
    await isFine(ben, "a phone's list");
    await ada.opens("lobby");
    await ada.says("See https://example.org/");
    await ada.says("To be deleted");
    await ada.says("To be edited");
    await ada.seesSaid("To be edited");
    const row = ada.row("To be deleted");
    await row.hover();
    await isFine(ada, "a message under the mouse");
    await row.getByRole("button", { name: /^Delete/ }).click();
    await isFine(ada, "the question whether to delete");
    await row.getByRole("button", { name: /^Delete/ }).click();
    await ada.sees(ada.page.locator('[data-state="deleted"]'));
    await ada.composer.press("ArrowUp");
    await ada.sees(ada.page.getByRole("textbox", { name: /^Edit your message/ }));
    await isFine(ada, "an edit");
    await ada.page.keyboard.press("Escape");
    await ben.room("lobby").tap();
    await ben.seesSaid("To be edited");
    await ben.says("From a phone");
    await ben.seesSaid("From a phone");
    await ben.row("From a phone").getByRole("button", { name: /^Edit or delete/ }).tap();
    await isFine(ben, "a phone's room");
  });

  it("are accessible on hover", async () => {
    for (const locator of [ada.room("dm:name:ben"), ada.page.getByRole("link", { name: "Write to Ben" })]) {
      await locator.hover();
      await isFine(ada, "something under the mouse");
    }
  });

  it("are accessible in dialogs, and for errors and long texts", async () => {
    await ada.page.getByRole("button", { name: "Find a room" }).click();
    await ada.sees(ada.page.getByRole("dialog").getByRole("link", { name: "lobby" }));
    await isFine(ada, "the rooms");
    await ada.page.keyboard.press("Escape");
    await ben.page.getByRole("button", { name: "People", exact: true }).tap();
    await ben.sees(ben.page.getByRole("dialog").getByRole("link", { name: "Write to Ada" }));
    await isFine(ben, "a phone's people");
    await ben.page.keyboard.press("Escape");
    await ada.composer.fill("x".repeat(32_001));
    await ada.sees(ada.page.getByText("Too long by 1 characters"));
    await isFine(ada, "too long a message");
    await ada.composer.fill("");
  });

  it("are accessible in an empty room", async () => {
    await ada.joins("empty");
    await ada.sees(ada.page.getByText("Still waters"));
    await isFine(ada, "an empty room");
    await ada.opens("lobby");
  });

  it("mark the active room and online users in forced colours", async () => {
    const looks = (locator) =>
      locator.first().evaluate((element) => {
        const { backgroundColor, color, boxShadow } = getComputedStyle(element);
        return { backgroundColor, color, boxShadow };
      });
    for (const colorScheme of SCHEMES) {
      await ada.page.emulateMedia({ forcedColors: "active", colorScheme });
      const active = await looks(ada.room("lobby"));
      const other = await looks(ada.room("empty"));
      assert.notEqual(active.backgroundColor, other.backgroundColor, "the active room stands out");
      const online = await looks(ada.page.locator('.dot[data-online="true"]'));
      assert.notEqual(online.backgroundColor, other.backgroundColor, "who is online has a full dot");
      assert.deepEqual(await lowContrast(ada.page), [], `forced colours, ${colorScheme}`);
    }
    await ben.leaves();
    const away = ada.page.locator('.room-link .dot[data-online="false"]');
    await ada.sees(away);
    assert.notDeepEqual(await looks(away), await looks(ada.page.locator('.dot[data-online="true"]')));
    await ada.page.emulateMedia({ forcedColors: "none" });
  });

  it("have thrown no error", () => {
    assert.deepEqual([...ada.errors, ...ben.errors], []);
  });
});
