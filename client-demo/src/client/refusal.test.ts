import { describe, expect, it } from "vitest";

import { readRefusal } from "./refusal";

function refused(message: string, data?: unknown): Error {
  return Object.assign(new Error(message), data === undefined ? {} : { data });
}

describe("a refusal", () => {
  it("is told in our words, by its code, wherever that stands", () => {
    const words = "The server is busy. Trying again…";
    expect(readRefusal(refused("unavailable"))).toEqual({ reason: words, isPassing: true, needsToken: false });
    expect(readRefusal(refused("x", { code: "unavailable", message: "y" })).reason).toBe(words);
  });

  it("says what is the matter with a token as the server puts it, and that another one would help", () => {
    const expired = { code: "token-expired", message: "expired at 12:00" };
    const told = { reason: "Expired at 12:00.", isPassing: false, needsToken: true };
    expect(readRefusal(refused("token-expired", expired))).toEqual(told);
    expect(readRefusal(refused("unauthorized"))).toMatchObject({ isPassing: false, needsToken: true });
  });

  it("is told as it came when its code is unknown or is no text", () => {
    expect(readRefusal(refused("Closed on Sundays", { code: 7 }))).toMatchObject({ reason: "Closed on Sundays." });
  });
});
