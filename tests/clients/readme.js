// The README's own words, so that what it shows is what is tested.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";

/** A chapter's fenced blocks, those of its sections among them. Each is taken by the tests that run it. */
export class Chapter {
  #blocks;

  static async of(heading) {
    const readme = await readFile(new URL("../../README.md", import.meta.url), "utf8");
    const text = readme.split(/^(?=## )/m).find((text) => text.startsWith(`## ${heading}\n`));
    assert.ok(text, `the README has a chapter "${heading}"`);
    const chapter = new Chapter();
    const fenced = [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)];
    chapter.#blocks = fenced.map(([, language, text]) => ({ language, text, isTaken: false }));
    return chapter;
  }

  /** The text of the block in this language that has these words. */
  take(language, words) {
    const found = this.#blocks.filter((block) => block.language === language && block.text.includes(words));
    assert.equal(found.length, 1, `one ${language} block has ${words}`);
    found[0].isTaken = true;
    return found[0].text;
  }

  /** For the last test of a file: there is no block that none has taken. */
  assertAllTaken() {
    assert.deepEqual(this.#blocks.filter(({ isTaken }) => !isTaken).map(({ text }) => text), []);
  }
}
