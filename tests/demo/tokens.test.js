// Signing in to a server in jwt mode.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { lowContrast } from "./contrast.js";
import { issueToken } from "./server.js";
import { Stage } from "./stage.js";

const secretly = (letter) => ({ "auth.mode": "jwt", "auth.secret": letter.repeat(32) });
const TOKENS = secretly("a");

describe("signing in with a token", { timeout: 300_000 }, () => {
  let stage;
  let ada;

  before(async () => {
    stage = await Stage.set(TOKENS);
    ada = await stage.arrives("Ada");
    ada.id = "u7";
  });

  after(() => stage?.clear());

  const field = (person) => person.page.getByLabel("Your token");

  /** Without waiting for the online users, as signing in by name does. */
  async function gives(person, token) {
    await field(person).fill(token);
    await person.page.getByRole("button", { name: "Sign in" }).click();
  }

  it("has a field for the token, and none for a name", async () => {
    await ada.sees(field(ada));
    assert.equal(await ada.page.getByTestId("sign-in-name").count(), 0);
    assert.equal(await field(ada).evaluate((element) => element === document.activeElement), true);
  });

  it("shows that a token is invalid, and does not store it", async () => {
    await gives(ada, "nonsense");
    await ada.sees(ada.page.getByRole("alert"));
    await ada.sees(field(ada));
    assert.deepEqual(await lowContrast(ada.page), []);
    assert.equal(await ada.page.evaluate(() => localStorage.getItem("sockeye.identity")), null);
  });

  it("signs in the user of the token, also after a reload", async () => {
    await gives(ada, await issueToken("u7", TOKENS, "--name", "Ada Lindqvist", "--rooms", "team-*"));
    await ada.sees(ada.online(ada));
    await ada.sees(ada.page.locator(".account").getByText("Ada Lindqvist"));
    await ada.says("With a token");
    await ada.seesSaid("With a token");
    await ada.page.reload();
    await ada.seesSaid("With a token");
    await ada.sees(ada.page.locator(".account").getByText("Online"));
  });

  it("lists the rooms that the token opens, and joins no others", async () => {
    await ada.joins("team-7");
    await ada.says("Just us");
    await ada.seesSaid("Just us");
    await ada.page.getByRole("button", { name: "Find a room" }).click();
    await ada.sees(ada.page.getByRole("dialog").getByRole("link", { name: "team-7" }));
    await ada.page.keyboard.press("Escape");
    await ada.joins("vault");
    await ada.sees(ada.page.getByRole("heading", { name: "This room is closed to you" }));
  });

  it("asks for a new token when it has expired, and keeps unsent messages", async () => {
    await ada.opens("lobby");
    await stage.server.kill();
    await ada.sees(ada.banner);
    await ada.says("Kept meanwhile");
    await ada.seesSaid("Kept meanwhile", "pending");
    const others = secretly("b");
    await stage.restart(others);
    const another = ada.banner.getByLabel("New token");
    await ada.sees(another);
    assert.deepEqual(await lowContrast(ada.page), []);
    await another.fill(await issueToken("u7", others, "--name", "Ada Lindqvist"));
    await another.press("Enter");
    await ada.seesGone(ada.banner);
    await ada.seesSaid("Kept meanwhile");
  });

  it("removes the token on signing out", async () => {
    await ada.page.getByRole("button", { name: "Sign out" }).click();
    await ada.sees(field(ada));
    assert.equal(await field(ada).inputValue(), "");
    assert.equal(await ada.page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }).includes("eyJ")), false);
  });

  it("is required of a user who signed in by name before the server switched to jwt mode", async () => {
    await ada.page.evaluate(() => {
      localStorage.setItem("sockeye.identity", JSON.stringify({ name: "Ada", user: null }));
    });
    await ada.page.reload();
    await ada.sees(field(ada));
    await ada.sees(ada.page.getByRole("alert"));
  });

  it("has thrown no error", () => {
    assert.deepEqual(ada.errors, []);
  });
});
