// Runs the JavaScript API of a project's own esbuild: for plugins, and for versions whose service
// devbridge does not know. `node driver.mjs FOLDER`: the folder of the package esbuild.
// Requests and answers are lines of JSON, on stdin and on what stdout was; what plugins print goes
// to stderr.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const esbuild = createRequire(import.meta.url)(process.argv[2]);
const write = process.stdout.write.bind(process.stdout);
process.stdout.write = process.stderr.write.bind(process.stderr);

/** @type {Map<number, any>} */
const contexts = new Map();

/** @param {any} request */
async function answer({ command, key, options, plugins, changed }) {
  if (command === "context") {
    // Node keeps what it has imported: a file that was changed gets another URL.
    const file = plugins && `${pathToFileURL(plugins).href}?${changed}`;
    const loaded = file ? (await import(file)).default : [];
    if (!Array.isArray(loaded)) throw new Error(`${plugins} has no array of plugins as default export`);
    contexts.set(key, await esbuild.context({ ...options, plugins: loaded }));
    return {};
  }
  const context = contexts.get(key);
  if (command === "dispose") {
    contexts.delete(key);
    await context?.dispose();
    return {};
  }
  const { errors, warnings, outputFiles, metafile } = await context.rebuild();
  const outputs = outputFiles.map((/** @type {any} */ file) => ({
    path: file.path,
    contents: Buffer.from(file.contents).toString("base64"),
  }));
  return { errors, warnings, outputs, metafile };
}

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  let said;
  try {
    said = await answer(request);
  } catch (error) {
    const failed = /** @type {any} */ (error);
    said = failed?.errors
      ? { errors: failed.errors, warnings: failed.warnings }
      : { error: String(failed?.message ?? failed) };
    // The program behind the API has ended, and is never started again by it: neither do we go on.
    const why = String(failed?.errors?.[0]?.text ?? failed?.message);
    if (/^The service (was stopped|is no longer running)/.test(why)) process.exit(1);
  }
  write(`${JSON.stringify({ id: request.id, ...said, detail: undefined })}\n`);
}
process.exit(0);
