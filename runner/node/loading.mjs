/** Imports a handler: of a bundle on the laptop, of the app's folder in a build. */

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { HandlerNotFound } from "./failure.mjs";

/** What a job's zip has: its bundle. */
const BUNDLED = [".mjs", ".cjs", ".js"];
const SOURCES = [".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs"];

/**
 * The file that is to be imported.
 * @param {string} handler `path/of/file.function`
 * @param {string} root the app's folder.
 * @param {string | undefined} bundle its bundle, where that is somewhere else.
 * @throws {HandlerNotFound} there is none.
 */
export function fileOf(handler, root, bundle) {
  const { module, name } = parts(handler);
  if (!module || !name) {
    throw new HandlerNotFound(`"${handler}" is not of the form "path/of/file.function"`);
  }
  const base = path.join(root, module);
  const found = bundle ?? BUNDLED.map((suffix) => base + suffix).find((file) => existsSync(file));
  if (found === undefined) {
    throw new HandlerNotFound(`there is no file ${module}.mjs, .cjs or .js in ${root}`);
  }
  return found;
}

/**
 * The function that `handler` names.
 * @param {string} handler
 * @param {string} root
 * @param {string} file see `fileOf`.
 * @returns {Promise<Function>}
 * @throws {HandlerNotFound} there is no such function.
 * @throws whatever the module's own code throws.
 */
export async function load(handler, root, file) {
  const { module, name } = parts(handler);
  const exported = await imported(file);
  const found = exported[name] ?? (name === "default" && typeof exported === "function" ? exported : undefined);
  if (typeof found === "function") return found;
  const source = SOURCES.find((suffix) => existsSync(path.join(root, module + suffix)));
  const shown = module + (source ?? path.extname(file));
  if (found !== undefined) {
    const what = found === null ? "null" : `of type ${typeof found}`;
    throw new HandlerNotFound(`"${name}" in ${shown} is no function: it is ${what}`, true);
  }
  const none = `${shown} exports no function "${name}"`;
  const main = typeof exported === "function" || typeof exported.default === "function";
  const others = Object.keys(exported).filter((key) => key !== "default" && typeof exported[key] === "function");
  if (main && others.length === 0) {
    const ways = `export it as "${name}", or name it as the handler: "${module}.default"`;
    throw new HandlerNotFound(`${none}, only a default: ${ways}`);
  }
  throw new HandlerNotFound(others.length > 0 ? `${none}; it has: ${others.join(", ")}` : none);
}

/**
 * Import a handler while the connection is made: that is there before any of its code runs.
 * @param {import("./runtime_api.mjs").RuntimeClient} client
 * @param {string} handler
 * @param {string} root
 * @param {string | undefined} bundle
 * @param {(file: string) => void} found is told of its file before.
 * @returns {Promise<Function>}
 * @throws as `fileOf` and `load`.
 * @throws {import("./runtime_api.mjs").RuntimeApiGone} nobody listens there.
 */
export async function loadConnected(client, handler, root, bundle, found) {
  const open = client.open();
  open.catch(() => undefined); // who needs it is told
  const file = fileOf(handler, root, bundle);
  found(file);
  if (file.endsWith(".cjs")) await open; // Node reads and runs it at once
  const loaded = await load(handler, root, file);
  await open;
  return loaded;
}

/** @param {string} handler */
function parts(handler) {
  const dot = handler.lastIndexOf(".");
  return { module: handler.slice(0, Math.max(dot, 0)), name: handler.slice(dot + 1) };
}

/** @param {string} file @returns {Promise<any>} */
async function imported(file) {
  const require = createRequire(file);
  if (file.endsWith(".cjs")) return require(file);
  const namespace = await import(pathToFileURL(file).href);
  // What a CommonJS module exports is not always found out by Node's reading of its text.
  return require.cache[file]?.exports ?? namespace;
}
