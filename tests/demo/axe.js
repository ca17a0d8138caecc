// axe-core in a page: https://github.com/dequelabs/axe-core

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const SOURCE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** What axe finds wrong with the page as it is now, in words. */
export async function violations(page) {
  // Not as a script element, which the page's Content-Security-Policy may refuse.
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(SOURCE);
  const result = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  return result.violations.flatMap(({ id, help, nodes }) => nodes.map(({ target }) => `${id} (${help}): ${target.join(" ")}`));
}
