// The fenced blocks of a page of `docs/`, so that what the page shows is what is tested.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";

/** A page: its text, and its fenced blocks, of which each is taken by the tests that run it. */
export class Page {
  text;
  #blocks;

  /** A page by its name, such as `http-api.md`; `../README.md` is the README. */
  static async of(name) {
    const text = await readFile(new URL(`../../docs/${name}`, import.meta.url), "utf8");
    const page = new Page();
    page.text = text;
    const fenced = [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)];
    page.#blocks = fenced.map(([, language, text]) => ({ language, text, isTaken: false }));
    return page;
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
