// How long the examples are, compared with Node servers that pass the same tests.

import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { test } from "node:test";

/** The most lines of Rust for one line of Node. */
const RATIO = 1.25;

const RUST = new URL("../../examples/", import.meta.url);
const NODE = new URL("node/", import.meta.url);

/** The lines of a program without comments, blank lines, imports, and the Rust `main` with its attributes. */
function lines(source, importing) {
  const main = /^(#\[.*\]\n)*async fn main\(\)[^]*?^}$/m;
  const text = source.replace(main, "").replace(importing, "");
  return text.split("\n").filter((line) => line.trim() !== "" && !line.trim().startsWith("//") && !isDoc(line)).length;
}

/** Whether a line is of a block comment such as this one. */
function isDoc(line) {
  return /^\s*(\/\*\*|\*)/.test(line);
}

test(`no example has more than ${RATIO} times the lines of its Node server`, async (t) => {
  const names = (await readdir(RUST)).map((file) => file.replace(/\.rs$/, ""));
  const tooLong = [];
  for (const name of names) {
    const rust = lines(await readFile(new URL(`${name}.rs`, RUST), "utf8"), /^use [^;]*;$/gm);
    const node = lines(await readFile(new URL(`${name}.mjs`, NODE), "utf8"), /^import [^;]*;$/gm);
    t.diagnostic(`${name}: ${rust} lines of Rust, ${node} of Node`);
    if (rust > node * RATIO) tooLong.push(`${name}: ${rust} > ${node} * ${RATIO}`);
  }
  assert.deepEqual(tooLong, []);
});
