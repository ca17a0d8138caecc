// The demo without a connection to its server.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { lowContrast } from "./contrast.js";
import { PHONE, Stage } from "./stage.js";

describe("the demo away from its server", { timeout: 300_000 }, () => {
  let stage;
  let ada;
  let ben;
  let cleo;
  let people;

  before(async () => {
    stage = await Stage.set();
    const still = { reducedMotion: "reduce" };
    ada = await stage.arrives("Ada", { colorScheme: "light", ...still });
    ben = await stage.arrives("Ben", { colorScheme: "dark", ...still });
    cleo = await stage.arrives("Cleo", { colorScheme: "light", ...PHONE, ...still });
    people = [ada, ben, cleo];
    for (const person of people) {
      await person.page.clock.install();
      await person.page.reload();
      await person.signsIn();
    }
  });

  after(() => stage?.clear());

  /** The dots that mark other users as online. */
  const othersOnline = (person) => person.page.locator('.dot[data-online="true"]').count();

  /** From here on only `fastForward` advances the page's timers, however slow the machine is. */
  const stopsClock = async ({ page }) => page.clock.pauseAt(await page.evaluate(() => Date.now() + 1_000));

  it("has sufficient contrast, and shows the online users", async () => {
    await ada.page.getByRole("link", { name: "Write to Ben" }).click();
    await ada.says("Between us");
    await ada.seesSaid("Between us");
    await ben.sees(ben.room("dm:name:ada"));
    await ada.joins("harbour");
    await ada.says("Nobody else is here");
    await ada.seesSaid("Nobody else is here");
    await ada.composer.press("ArrowUp");
    await ada.sees(ada.page.getByRole("textbox", { name: /^Edit your message/ }));
    for (const person of people) {
      assert.deepEqual(await lowContrast(person.page), [], person.name);
      assert.ok((await othersOnline(person)) > 0, person.name);
    }
  });

  it("shows no user as online without a connection, and dimmed text has sufficient contrast", async () => {
    for (const person of people) await stopsClock(person);
    await stage.server.kill();
    for (const person of people) await person.sees(person.banner.filter({ hasText: "Reconnecting" }));
    await ben.says("Written into the void");
    await ben.seesSaid("Written into the void", "pending");
    for (const person of people) {
      assert.equal(await othersOnline(person), 0, person.name);
      assert.equal(await person.page.getByText("Online", { exact: true }).count(), 0, person.name);
      assert.deepEqual(await lowContrast(person.page), [], person.name);
    }
    await ada.page.getByRole("button", { name: "Cancel" }).click();
    await ada.opens("dm:name:ben");
    await ada.sees(ada.page.locator("main").getByText("Not connected"));
    assert.equal(await othersOnline(ada), 0);
    assert.deepEqual(await lowContrast(ada.page), []);
    await cleo.room("lobby").tap();
    await cleo.page.getByRole("button", { name: "People" }).tap();
    await cleo.sees(cleo.page.getByRole("dialog"));
    assert.deepEqual(await lowContrast(cleo.page), []);
    await cleo.page.keyboard.press("Escape");
  });

  it("shows after a while that it keeps trying, and reconnects", async () => {
    for (const person of people) {
      assert.ok(await person.banner.filter({ hasText: "Reconnecting" }).isVisible());
      await person.page.clock.fastForward(20_000);
      await person.sees(person.banner.filter({ hasText: "No connection, trying again" }));
    }
    await stage.restart();
    for (const person of people) {
      await person.page.clock.resume();
      await person.seesGone(person.banner);
    }
    await ben.seesSaid("Written into the void");
    await ada.page.waitForFunction(() => document.querySelector('.dot[data-online="true"]') !== null);
  });

  it("does not show a restart for ever after a server was stopped", async () => {
    for (const person of people) await stopsClock(person);
    await stage.server.stop();
    for (const person of people) {
      await person.sees(person.banner.filter({ hasText: "The server is restarting" }));
      await person.page.clock.fastForward(20_000);
      await person.sees(person.banner.filter({ hasText: "No connection, trying again" }));
      // Further failed attempts do not change the state.
      await person.page.clock.fastForward(60_000);
      assert.equal(await person.banner.filter({ hasText: "restarting" }).count(), 0, person.name);
      assert.deepEqual(await lowContrast(person.page), [], person.name);
    }
  });

  it("has thrown no error", () => {
    assert.deepEqual(people.flatMap((person) => person.errors), []);
  });
});
