// The list of existing rooms.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { newKey } from "../clients/api.js";
import { PHONE, Stage } from "./stage.js";

describe("finding rooms", { timeout: 300_000 }, () => {
  let credential;
  let stage;
  let ada;
  let ben;

  before(async () => {
    const { key, settings } = newKey();
    credential = key;
    stage = await Stage.set(settings);
    ada = await stage.enters("Ada");
    ben = await stage.enters("Ben");
  });

  after(() => stage?.clear());

  const dialog = (person) => person.page.getByRole("dialog", { name: "Rooms on this server" });
  const found = (person) => dialog(person).locator(".found-room-name");

  it("lists rooms of other users, with their online users", async () => {
    for (const room of ["harbour", "harvest", "quay"]) await ada.joins(room);
    await ben.page.getByRole("button", { name: "Find a room" }).click();
    await ben.sees(dialog(ben).getByRole("link", { name: "quay" }));
    assert.deepEqual(await found(ben).allTextContents(), ["harbour", "harvest", "lobby", "quay"]);
    await ben.sees(dialog(ben).getByRole("link", { name: "harbour" }).getByText("1 member, 1 here"));
    await ben.sees(dialog(ben).getByRole("link", { name: "lobby" }).getByText(/^joined, /));
  });

  it("finds rooms by prefix, and says so if there is none", async () => {
    assert.equal(await ben.page.evaluate(() => document.activeElement.id), "find-rooms");
    await ben.page.keyboard.type("harv");
    await ben.seesGone(dialog(ben).getByRole("link", { name: "quay" }));
    assert.deepEqual(await found(ben).allTextContents(), ["harvest"]);
    await ben.page.keyboard.type("x");
    await ben.sees(dialog(ben).getByText("There is no such room."));
    assert.deepEqual(await found(ben).allTextContents(), []);
  });

  it("opens a room and closes itself", async () => {
    await dialog(ben).getByLabel("Name begins with").fill("q");
    await dialog(ben).getByRole("link", { name: "quay" }).click();
    await ben.sees(ben.page.getByRole("heading", { name: "quay", level: 1 }));
    await ben.seesGone(dialog(ben));
    await ben.sees(ben.room("quay"));
    await ben.says("I have found you");
    await ada.seesSaid("I have found you");
  });

  it("shows more than a page of rooms", async () => {
    for (let number = 10; number < 70; number += 1) {
      await ada.page.evaluate((name) => {
        window.location.hash = `#/pier-${name}`;
      }, number);
      await ada.sees(ada.page.getByRole("heading", { name: `pier-${number}`, level: 1 }));
      await ada.sees(ada.page.locator('.messages[aria-busy="false"]'));
    }
    await ben.page.getByRole("button", { name: "Find a room" }).click();
    await ben.page.keyboard.type("pier-");
    await ben.sees(dialog(ben).getByRole("link", { name: "pier-59" }));
    assert.equal(await found(ben).count(), 50);
    await dialog(ben).getByRole("button", { name: "More rooms" }).click();
    await ben.sees(dialog(ben).getByRole("link", { name: "pier-69" }));
    assert.equal(await found(ben).count(), 60);
    await ben.seesGone(dialog(ben).getByRole("button", { name: "More rooms" }));
    await ben.page.keyboard.press("Escape");
    await ben.seesGone(dialog(ben));
  });

  it("works on a phone, and shows an error if the server does not answer", async () => {
    const cleo = await stage.enters("Cleo", PHONE);
    await cleo.page.getByRole("button", { name: "Find a room" }).tap();
    await dialog(cleo).getByRole("link", { name: "harvest" }).tap();
    await cleo.sees(cleo.page.getByRole("heading", { name: "harvest", level: 1 }));
    await cleo.page.goBack();
    await cleo.page.route("**/api/**", (route) => route.abort());
    await cleo.page.getByRole("button", { name: "Find a room" }).tap();
    await cleo.sees(dialog(cleo).getByText("The server has not answered."));
    assert.deepEqual(cleo.errors, []);
    await cleo.leaves();
  });

  it("leaves a room that a backend deletes, and says so", async () => {
    await ada.joins("quay");
    await ben.joins("harvest");
    const headers = { authorization: `Bearer ${credential}` };
    const deleted = await fetch(`${stage.server.url}/api/rooms/quay`, { method: "DELETE", headers });
    assert.equal(deleted.status, 200);
    for (const person of [ada, ben]) await person.sees(person.page.getByText("The room #quay was deleted."));
    await ada.sees(ada.page.getByRole("heading", { name: "lobby", level: 1 }));
    await ben.sees(ben.page.getByRole("heading", { name: "harvest", level: 1 }));
    for (const person of [ada, ben]) await person.seesGone(person.room("quay"));
  });

  it("has thrown no error", () => {
    assert.deepEqual([...ada.errors, ...ben.errors], []);
  });
});
