// axe-core in a page: https://github.com/dequelabs/axe-core

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const SOURCE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** The violations that axe finds on the page in its current state, as text. */
export async function violations(page) {
  // Not as a script element, which the page's Content-Security-Policy may block.
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(SOURCE);
  const result = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  return result.violations.flatMap(({ id, help, nodes }) => nodes.map(({ target }) => `${id} (${help}): ${target.join(" ")}`));
}
