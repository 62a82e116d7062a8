/**
 * The user's own frames of an error: source-mapped, relative to the app's folder, with the line
 * of the source, outermost first. Frames of packages, of Node and of the runner are not the user's.
 */

import { existsSync, readFileSync } from "node:fs";
import module from "node:module";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { property } from "./causes.mjs";

const RUNNER = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const FOREIGN = new Set(["node_modules", "site-packages", "dist-packages", ".venv", "venv"]);
const NAMED = /^\s+at (.+?) \((.+):(\d+):(\d+)\)$/;
const BARE = /^\s+at (?:(async) )?(.+):(\d+):(\d+)$/;
/** Characters of a line of source that are shown. */
const MAX_LINE = 400;

/** Where a handler comes from, and how its files are named. */
export class Place {
  /**
   * @param {string} root the app's folder.
   * @param {string} handler as `_HANDLER` has it.
   * @param {string | undefined} bundle the bundle's file, where it is not below `root`.
   */
  constructor(root, handler, bundle) {
    this.root = root;
    this.bundle = bundle;
    const name = `${handler.slice(0, handler.lastIndexOf("."))}${path.extname(bundle ?? "")}`;
    const found = bundle?.endsWith(path.sep + path.normalize(name));
    /** The folder that the bundle's own files are relative to. */
    this.bundles = bundle && (found ? bundle.slice(0, -name.length - 1) : path.dirname(bundle));
    /** @private @type {Map<string, string[] | undefined>} */ this._lines = new Map();
    /** @private @type {Map<string, string> | undefined} */ this._sources = undefined;
  }

  /**
   * How a file is shown, if it is the user's own.
   * @param {string} file absolute.
   * @returns {string | undefined}
   */
  name(file) {
    if (inside(file, RUNNER)) return undefined;
    for (const folder of [this.bundles, this.root]) {
      if (folder && inside(file, folder)) {
        const name = file.slice(folder.length + 1);
        return name.split(path.sep).some((part) => FOREIGN.has(part)) ? undefined : name;
      }
    }
    // A source of the bundle beside the app: a package of the same workspace.
    const parts = file.split(path.sep);
    const foreign = parts.some((part) => FOREIGN.has(part) || part === "devbridge");
    if (foreign || !this._sourcesOf().has(file) || isOurs(file)) return undefined;
    return path.relative(this.root, file);
  }

  /**
   * A line of a file, as it was when it was bundled, where that is known.
   * @param {string} file
   * @param {number} line from 1.
   */
  line(file, line) {
    let lines = this._lines.get(file);
    if (!lines && !this._lines.has(file)) {
      let text = this._sourcesOf().get(file);
      try {
        text ||= readFileSync(file, "utf8");
      } catch {
        // it is not here: a build has the bundle only
      }
      lines = text?.split("\n");
      this._lines.set(file, lines);
    }
    const found = (lines?.[line - 1] ?? "").trim();
    return found.length > MAX_LINE ? `${found.slice(0, MAX_LINE)} ...` : found;
  }

  /** @private The bundle's sources by their absolute paths. */
  _sourcesOf() {
    if (this._sources) return this._sources;
    this._sources = new Map();
    for (const file of this.bundle ? [this.bundle] : []) {
      const payload = mapOf(file);
      const base = pathToFileURL(file);
      for (const [index, source] of (payload?.sources ?? []).entries()) {
        const url = URL.canParse(source, base) ? new URL(source, base) : undefined;
        if (url?.protocol !== "file:") continue;
        this._sources.set(fileURLToPath(url), payload?.sourcesContent?.[index] ?? "");
      }
    }
    return this._sources;
  }
}

/** @param {string} file @returns {{sources: string[], sourcesContent?: string[]} | undefined} */
function mapOf(file) {
  try {
    return module.findSourceMap(file)?.payload ?? module.findSourceMap(`${pathToFileURL(file)}`)?.payload;
  } catch {
    return undefined;
  }
}

/** @param {string} file @param {string} folder */
function inside(file, folder) {
  return file.startsWith(folder.endsWith(path.sep) ? folder : folder + path.sep);
}

/** @param {string} file */
function isOurs(file) {
  for (let folder = path.dirname(file); ; folder = path.dirname(folder)) {
    const described = path.join(folder, "package.json");
    if (existsSync(described)) {
      try {
        return JSON.parse(readFileSync(described, "utf8")).name === "devbridge";
      } catch {
        return false;
      }
    }
    if (folder === path.dirname(folder)) return false;
  }
}

/**
 * The user's own frames of an error, outermost first.
 * @param {unknown} error
 * @param {Place} place
 * @returns {string[]}
 */
export function framesOf(error, place) {
  const frames = [];
  for (const text of stackLines(error).reverse()) {
    const at = parsed(text);
    const name = at && place.name(at.file);
    if (!at || name === undefined) continue;
    const spot = `${name}:${at.line}:${at.column}`;
    const source = place.line(at.file, at.line);
    frames.push(`at ${at.name ? `${at.name} (${spot})` : spot}${source ? `\n    ${source}` : ""}`);
  }
  return frames;
}

/** The lines of a stack below its message. @param {unknown} error */
function stackLines(error) {
  const stack = property(error, "stack");
  if (typeof stack !== "string") return [];
  const message = property(error, "message");
  const begin = typeof message === "string" ? stack.indexOf(message) + message.length : 0;
  return stack.slice(begin).split("\n").filter((line) => /^\s+at /.test(line));
}

/** @param {string} text */
function parsed(text) {
  for (const form of [NAMED, BARE]) {
    const found = form.exec(text);
    const file = found && absolute(found[2]);
    if (found && file) {
      return { name: found[1] ?? "", file, line: Number(found[3]), column: Number(found[4]) };
    }
  }
  return undefined;
}

/** @param {string} file @returns {string | undefined} */
function absolute(file) {
  try {
    if (file.startsWith("file://")) return fileURLToPath(file.replace(/\?[^/]*$/, ""));
  } catch {
    return undefined;
  }
  return path.isAbsolute(file) ? path.normalize(file) : undefined;
}

/** Whether a line of a stack is the runner's own. @param {string} line */
export function isRunners(line) {
  const file = parsed(line)?.file;
  return file !== undefined && inside(file, RUNNER);
}

const LOADING = /^\s+at (?:__require|__commonJS|__esm|require_|init_)|node:internal\/modules\//;

/**
 * Whether the app's own code asks, or a package that it has called; not one that is being loaded:
 * those ask for much that they can do without.
 * @param {Error} here made where that is asked.
 * @param {Place} place
 */
export function isUsersCode(here, place) {
  for (const line of stackLines(here)) {
    if (LOADING.test(line)) return false;
    const file = parsed(line)?.file;
    if (file !== undefined && place.name(file) !== undefined) return true;
  }
  return false;
}
