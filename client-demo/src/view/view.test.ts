import { describe, expect, it } from "vitest";

import { emptyRoom } from "../store/state";
import type { Message, User } from "../wire";
import { excerpt, pieces, textOf } from "./body";
import { entriesOf } from "./entries";
import { initials } from "./face";
import { clock, dayName, fully } from "./time";

const BEN: User = { id: "name:ben", name: "Ben" };

function message(offset: number, at: Date): Message {
  return { id: `m${offset}`, room: "lobby", offset, revision: offset, from: BEN, at: at.toISOString(), body: {} };
}

describe("a text", () => {
  it("has its web addresses as links, without what ends the sentence", () => {
    expect(pieces("See https://example.org/a?b=c, (or http://x.example/).")).toEqual([
      { text: "See " },
      { text: "https://example.org/a?b=c", href: "https://example.org/a?b=c" },
      { text: ", (or " },
      { text: "http://x.example/", href: "http://x.example/" },
      { text: ")." },
    ]);
  });

  it("makes no link of what could run", () => {
    expect(pieces("javascript:alert(1)")).toEqual([{ text: "javascript:alert(1)" }]);
  });

  it("is JSON when another client has sent something else", () => {
    expect(textOf({ body: { kind: "order", id: 7 } })).toEqual({ text: '{"kind":"order","id":7}', isPlain: false });
  });
});

describe("an excerpt", () => {
  it("is one line of whole characters, and says where it was cut", () => {
    expect(excerpt("  good\n morning ")).toBe("good morning");
    expect(excerpt("🐟".repeat(41))).toBe(`${"🐟".repeat(40)}…`);
  });
});

describe("a time", () => {
  it("has one form, which is a part of the full one", () => {
    const at = new Date(2026, 5, 15, 9, 5).getTime();
    expect(clock(at)).toMatch(/^0?9:05( [AaPp][Mm])?$/u);
    expect(fully(at).endsWith(clock(at))).toBe(true);
  });
});

describe("a conversation", () => {
  it("puts consecutive messages of one person together, and begins anew with a pause or a day", () => {
    const times = [
      new Date(2026, 0, 1, 23, 50),
      new Date(2026, 0, 1, 23, 52),
      new Date(2026, 0, 1, 23, 59),
      new Date(2026, 0, 2, 0, 1),
    ];
    const room = { ...emptyRoom("lobby"), messages: times.map((at, index) => message(index + 1, at)) };
    const entries = entriesOf(room, [], null);
    expect(entries.map((entry) => entry.startsGroup)).toEqual([true, false, true, true]);
    expect(entries.map((entry) => entry.startsDay)).toEqual([true, false, false, true]);
  });

  it("names the days as people do", () => {
    const now = new Date(2026, 5, 15, 9).getTime();
    expect(dayName(new Date(2026, 5, 15, 0, 1).getTime(), now)).toBe("Today");
    expect(dayName(new Date(2026, 5, 14, 23, 59).getTime(), now)).toBe("Yesterday");
    expect(dayName(new Date(2025, 5, 14).getTime(), now)).toContain("2025");
  });
});

describe("initials", () => {
  it("are one letter or two, whatever the name", () => {
    expect(["Ada Lindqvist", "ben", "Jean-Luc van Damme", "  ", "🐟 fish"].map(initials)).toEqual([
      "AL",
      "B",
      "JD",
      "?",
      "🐟F",
    ]);
  });
});
