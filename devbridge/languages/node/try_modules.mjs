// Which modules Node can load, and what they export: `node try_modules.mjs MODULES RESULT`, where
// MODULES is a JSON text of [path, format] and RESULT the file that is written.
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

/** @type {Record<string, string[]>} */
const found = {};
for (const [path, format] of JSON.parse(process.argv[2])) {
  try {
    if (format === "cjs") {
      createRequire(path)(path);
      found[path] = [];
    } else {
      found[path] = Object.keys(await import(pathToFileURL(path).href));
    }
  } catch {
    // It stays in the bundle.
  }
}
writeFileSync(process.argv[3], JSON.stringify(found));
process.exit(0);
