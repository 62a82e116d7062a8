/**
 * What was thrown, as the Runtime API carries it: see `runner/failure.py`, whose limits these are.
 */

import { spawnSync } from "node:child_process";
import path from "node:path";
import { inspect } from "node:util";
import { ends, property, related } from "./causes.mjs";
import { framesOf, isRunners } from "./frames.mjs";

const MAX_FRAMES = 40;
/** Characters of the message, and of the trace. */
const MAX_TEXT = 64 * 1024;
const MAX_CAUSE_FRAMES = 10;
const MAX_CAUSE_TEXT = 4 * 1024;
const node = process.execPath;

/** The handler's file or function does not exist. */
export class HandlerNotFound extends Error {
  name = "HandlerNotFound";

  /** @param {string} message @param {boolean} [found] there is something of its name. */
  constructor(message, found = false) {
    super(message);
    this.found = found;
  }
}

/** The handler's result cannot be written as JSON. */
export class ResultNotJson extends Error {
  name = "ResultNotJson";
}

/** What a handler has yielded cannot be written as JSON. */
export class CheckpointNotJson extends Error {
  name = "CheckpointNotJson";
}

/** What a handler has yielded is more than a checkpoint may have. */
export class CheckpointTooLarge extends Error {
  name = "CheckpointTooLarge";
}

/** Nothing is left that could settle a promise that is waited for. */
export class NeverSettled extends Error {
  name = "NeverSettled";
}

/** What goes wrong in a function's runtime, not in its code: as Lambda names it, and as it is told here. */
export class Fault extends Error {
  /**
   * @param {string} kind the error's type.
   * @param {string} told what the caller is told.
   * @param {{message?: string, cause?: unknown, stack?: string}} [seen] what the developer is told
   * instead: a message, or an error.
   */
  constructor(kind, told, seen = {}) {
    super(seen.message ?? told, seen);
    this.name = kind;
    this.told = told;
    this.stack = seen.stack ?? `${kind}: ${told}`;
  }
}

/** `process.exit` was called. */
export class ProcessExit extends Error {
  name = "ProcessExit";
}

/** What is said by its message alone: no line of the user's has thrown it. */
const OURS = [HandlerNotFound, ResultNotJson, CheckpointNotJson, CheckpointTooLarge, NeverSettled, Fault];

/**
 * @typedef {import("./frames.mjs").Place} Place
 * @typedef {{errorType: string, errorMessage: string, notes: string[], stackTrace: string[]}} Told
 * @typedef {Told & {trace: string[], causes: object[]}} Failure
 */

/**
 * The Runtime API's error document for what was thrown.
 * @param {unknown} error
 * @param {Place} place
 * @param {string[]} notes what is known besides.
 * @returns {Failure}
 */
export function describe(error, place, notes = []) {
  if (OURS.some((each) => error instanceof each)) {
    return { ...told(error, []), trace: [], causes: [] };
  }
  const { first, others } = related(error);
  const frames = cutFrames([...framesOf(first, place), ...syntaxFrame(first, place)], MAX_FRAMES);
  const causes = others.map((each) => cause(each, place));
  const described = told(first, frames);
  described.notes.push(...notes);
  const seen = frames.length || causes.some((each) => each.stackTrace?.length);
  return { ...described, trace: seen ? trace(error) : [], causes };
}

/** @param {unknown} error @param {string[]} frames @param {number} [most] @returns {Told} */
function told(error, frames, most = MAX_TEXT) {
  const { type, message, notes } = words(error);
  return { errorType: type, errorMessage: cut(message, most), notes, stackTrace: frames };
}

/** @param {import("./causes.mjs").Related} each @param {Place} place */
function cause(each, place) {
  const how = { how: each.how, depth: each.depth };
  if (!each.told) return /** @type {{how: string, depth: number, stackTrace?: string[]}} */ (how);
  const frames = cutFrames(framesOf(each.error, place), MAX_CAUSE_FRAMES);
  return { ...how, ...told(each.error, frames, MAX_CAUSE_TEXT) };
}

const REJECTED = /The promise rejected with the reason "(.*)"\.$/s;

/** @param {unknown} error @returns {{type: string, message: string, notes: string[]}} */
function words(error) {
  if (!isError(error)) {
    const notes = ["what was thrown is no Error: it has no stack"];
    return { type: kind(error), message: typeof error === "string" ? error : shown(error), notes };
  }
  const message = text(error, "message");
  const code = property(error, "code");
  const reason = code === "ERR_UNHANDLED_REJECTION" ? REJECTED.exec(message) : null;
  if (reason) {
    const notes = ["what it was rejected with is no Error: it has no stack"];
    return { type: "UnhandledRejection", message: `a promise was rejected with ${reason[1]}`, notes };
  }
  const notes = typeof code === "string" && code && !message.includes(code) ? [`code: ${cut(code, MAX_CAUSE_TEXT)}`] : [];
  return { type: typeName(error), message, notes };
}

/** Also one of another realm, as a worker thread's. @param {unknown} error */
function isError(error) {
  if (error instanceof Error) return true;
  if (typeof error !== "object" || error === null) return false;
  return typeof property(error, "stack") === "string" && typeof property(error, "message") === "string";
}

/** @param {unknown} error */
function typeName(error) {
  const name = property(error, "name");
  const made = property(property(error, "constructor"), "name");
  const own = typeof made === "string" && made && made !== "Object" ? made : "";
  // Who extends Error rarely sets the name.
  if (typeof name !== "string" || !name || (name === "Error" && own)) return own || "Error";
  return cut(name, 200);
}

/** What was thrown that is no Error: its type. @param {unknown} thing */
function kind(thing) {
  if (thing === null || typeof thing !== "object") return thing === null ? "null" : typeof thing;
  const made = property(property(thing, "constructor"), "name");
  return typeof made === "string" && made ? made : "object";
}

/** @param {unknown} error @param {string} name */
function text(error, name) {
  try {
    const found = /** @type {any} */ (error)[name];
    return typeof found === "string" ? found : shown(found);
  } catch (broken) {
    return `<its ${name} threw ${isError(broken) ? typeName(broken) : kind(broken)}>`;
  }
}

/** @param {unknown} thing */
function shown(thing) {
  try {
    return inspect(thing);
  } catch (broken) {
    return `<showing it threw ${isError(broken) ? typeName(broken) : kind(broken)}>`;
  }
}

/** @param {string} long @param {number} most */
function cut(long, most) {
  if (long.length <= most) return long;
  const half = most >> 1;
  const left = long.length - most;
  return `${long.slice(0, half)}\n... ${left} more characters ...\n${long.slice(-half)}`;
}

/** @param {string[]} frames @param {number} most */
function cutFrames(frames, most) {
  const { first, leftOut, last } = ends(frames, most);
  return [...first, ...(leftOut ? [`... ${leftOut} more frames ...`] : []), ...last];
}

/** The whole story, as Node prints it, without the runner's own frames. @param {unknown} error */
function trace(error) {
  let whole;
  try {
    whole = inspect(error);
  } catch {
    whole = text(error, "stack");
  }
  /** @type {string[]} */ const lines = [];
  for (const line of cut(whole, MAX_TEXT).split("\n")) {
    const opens = line.endsWith(" {"); // the error's own properties follow
    if (!isRunners(opens ? line.slice(0, -2) : line)) lines.push(line);
    else if (opens && lines.length > 0) lines[lines.length - 1] += " {";
  }
  return lines;
}

/**
 * Where code cannot be parsed, which V8 tells nobody but who prints the error.
 * @param {unknown} error
 * @param {Place} place
 */
function syntaxFrame(error, place) {
  if (!(error instanceof SyntaxError) || !place.bundle) return [];
  const stack = property(error, "stack");
  if (typeof stack !== "string" || !stack.includes("node:internal/modules/")) return [];
  const checked = spawnSync(node, ["--check", place.bundle], { encoding: "utf8", env: {} });
  const [at, code, caret] = (checked.stderr ?? "").split("\n");
  const found = /^(?:file:\/\/)?(.*):(\d+)$/.exec(at ?? "");
  if (checked.status === 0 || !found || code === undefined || !caret?.includes("^")) return [];
  const file = path.normalize(decodeURI(found[1]));
  const indent = code.length - code.trimStart().length;
  const name = place.name(file) ?? file;
  return [`${name}:${found[2]}\n    ${code.trim()}\n    ${caret.slice(indent).trimEnd()}`];
}
