// Writes NAME.br and NAME.gz beside the files in dist/, where that makes them smaller. The server sends those.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";

/** What compresses well; images and fonts do not. */
const TEXT = /\.(css|html|js|json|map|svg|txt)$/;
const FOLDER = join(import.meta.dirname, "dist");

for (const name of readdirSync(FOLDER, { recursive: true })) {
  if (!TEXT.test(name)) continue;
  const whole = readFileSync(join(FOLDER, name));
  const forms = { br: brotliCompressSync(whole), gz: gzipSync(whole, { level: 9 }) };
  for (const [suffix, bytes] of Object.entries(forms)) {
    if (bytes.length < whole.length) writeFileSync(join(FOLDER, `${name}.${suffix}`), bytes);
  }
}
