// Reads snippets from the README, so that the tests run exactly what it shows.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";

/** The fenced code blocks of a chapter and its sections. The tests that run a block take it. */
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

  /** The block in this language that contains these words. */
  take(language, words) {
    const found = this.#blocks.filter((block) => block.language === language && block.text.includes(words));
    assert.equal(found.length, 1, `one ${language} block has ${words}`);
    found[0].isTaken = true;
    return found[0].text;
  }

  /** Asserts, in the last test of a file, that every block was taken. */
  assertAllTaken() {
    assert.deepEqual(this.#blocks.filter(({ isTaken }) => !isTaken).map(({ text }) => text), []);
  }
}
