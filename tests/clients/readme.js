// The README's own words, so that what it shows is what is tested.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";

/** The fenced blocks of a section, by its heading: `{ language, text }`. */
export async function snippets(heading) {
  const readme = await readFile(new URL("../../README.md", import.meta.url), "utf8");
  const sections = readme.split(/^(?=#{2,3} )/m);
  const section = sections.find((text) => text.slice(0, text.indexOf("\n")).replace(/^#+ /, "") === heading);
  assert.ok(section, `the README has a section "${heading}"`);
  return [...section.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(([, language, text]) => ({ language, text }));
}
