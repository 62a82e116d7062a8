// Preloaded into node: code in a folder finds no packages outside of it.
//
// Builds and functions of the embedded cloud run below the app's own folder, and node looks for
// packages in every folder above: it would find those of the app's node_modules, which are not there
// on AWS. The folder is this URL's parameter `root`.

import Module from "node:module";
import { dirname } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = new URL(import.meta.url).searchParams.get("root") ?? "/";
const inside = `${pathToFileURL(root).href}/`;

/** @param {string} path */
const isInside = (path) => path === root || path.startsWith(`${root}/`);

// CommonJS: the folders that are looked into, nearest first.
const internals = /** @type {{_nodeModulePaths(from: string): string[]}} */ (
  /** @type {unknown} */ (Module)
);
const everywhere = internals._nodeModulePaths.bind(Module);
internals._nodeModulePaths = (/** @type {string} */ from) =>
  isInside(from) ? everywhere(from).filter((path) => isInside(dirname(path))) : everywhere(from);

/**
 * Refuses what was found outside, in the words of node.
 *
 * Its text is also run in another thread: it uses nothing of this module's.
 *
 * @param {string} inside
 * @param {(url: string) => string} toPath
 * @param {string} specifier
 * @param {string | undefined} parent
 * @param {string} found
 */
function check(inside, toPath, specifier, parent, found) {
  if (!parent?.startsWith(inside) || !found.startsWith("file:") || found.startsWith(inside)) return;
  if (!found.includes("/node_modules/") || /^(\.{0,2}\/|file:)/.test(specifier)) return;
  const name = /^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0];
  const what = `Cannot find package '${name}' imported from ${toPath(parent)}`;
  throw Object.assign(new Error(what), { code: "ERR_MODULE_NOT_FOUND" });
}

const { registerHooks } = /** @type {any} */ (Module);
if (registerHooks) {
  registerHooks({
    resolve(
      /** @type {string} */ specifier,
      /** @type {{parentURL?: string}} */ context,
      /** @type {(...given: unknown[]) => {url: string}} */ next,
    ) {
      const found = next(specifier, context);
      check(inside, fileURLToPath, specifier, context.parentURL, found.url);
      return found;
    },
  });
} else {
  // Before Node 22.15 the hooks of ES modules run in a thread of their own.
  const code = `import { fileURLToPath } from "node:url";
    ${check}
    export async function resolve(specifier, context, next) {
      const found = await next(specifier, context);
      check(${JSON.stringify(inside)}, fileURLToPath, specifier, context.parentURL, found.url);
      return found;
    }`;
  Module.register(`data:text/javascript,${encodeURIComponent(code)}`);
}
