// The search box of the demo, on a wide screen and on a phone.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { PHONE, Stage } from "./stage.js";

describe("the search of the demo", { timeout: 300_000 }, () => {
  let stage;
  let ada;
  let ben;

  before(async () => {
    stage = await Stage.set({ "search.fields": '["text"]' });
    ada = await stage.enters("Ada");
    ben = await stage.enters("Ben", PHONE);
    await ada.joins("kitchen");
    for (let n = 1; n <= 25; n += 1) await ada.says(`Recipe number ${n}`);
    await ada.says("Crème brûlée for everybody");
    await ada.seesSaid("Crème brûlée for everybody");
  });

  after(() => stage?.clear());

  const dialog = (person) => person.page.getByRole("dialog", { name: "Search messages" });
  const field = (person) => dialog(person).getByRole("searchbox", { name: "Words of the message" });
  const results = (person) => dialog(person).getByTestId("found-message");

  it("has the focus when it is opened, and finds while one types", async () => {
    await ada.opens("lobby");
    await ada.page.getByRole("button", { name: "Search messages" }).click();
    await ada.sees(field(ada));
    await ada.page.waitForFunction(() => document.activeElement.id === "search-messages");
    await ada.page.keyboard.type("creme bru");
    await ada.sees(results(ada).filter({ hasText: "Crème brûlée for everybody" }));
    assert.equal(await results(ada).count(), 1);
    assert.match(await results(ada).innerText(), /Ada[\s\S]*#kitchen[\s\S]*Today/);
  });

  it("says when nothing is found", async () => {
    await field(ada).fill("no such words");
    await ada.sees(dialog(ada).getByText("No message has these words."));
    await field(ada).fill("...");
    await ada.seesGone(dialog(ada).getByText("No message has these words."));
  });

  it("shows more results, and opens the conversation of one", async () => {
    await field(ada).fill("recipe");
    await ada.sees(results(ada).filter({ hasText: "Recipe number 25" }));
    assert.equal(await results(ada).count(), 20);
    await dialog(ada).getByRole("button", { name: "More messages" }).click();
    await ada.sees(results(ada).filter({ hasText: /Recipe number 1$/ }));
    assert.equal(await results(ada).count(), 25);
    await results(ada).first().click();
    await ada.sees(ada.page.getByRole("heading", { name: "kitchen" }));
    assert.equal(await dialog(ada).count(), 0);
  });

  it("fills a phone's screen", async () => {
    await ben.page.getByRole("button", { name: "Search messages" }).tap();
    await field(ben).fill("everybody");
    await ben.sees(results(ben));
    const box = await dialog(ben).boundingBox();
    assert.deepEqual([box.x, box.y, box.width, box.height], [0, 0, PHONE.viewport.width, PHONE.viewport.height]);
    assert.ok((await results(ben).first().boundingBox()).height >= 44, "large enough for a finger");
    assert.equal(await ben.page.evaluate(() => document.documentElement.scrollWidth), PHONE.viewport.width);
    await results(ben).first().tap();
    await ben.sees(ben.page.getByRole("heading", { name: "kitchen" }));
    await ben.seesSaid("Crème brûlée for everybody");
  });
});
