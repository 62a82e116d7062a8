// Errors of a Node function, as AWS Lambda's runtime tells them to callers and writes them down.

import { types } from "node:util";

import { HAS_CALLBACKS, log } from "./wire.mjs";

/** What is replaced: a path of this machine by the one that AWS has. @type {[string, string][]} */
const paths = [];

/**
 * @param {string} here
 * @param {string} there
 */
export function replacePath(here, there) {
  paths.push([here, there]);
}

/** @param {string} text */
function asOnAws(text) {
  return paths.reduce((found, [here, there]) => found.replaceAll(here, there), text);
}

/**
 * An error of the runtime's own.
 *
 * @param {string} kind
 * @param {string} message
 * @param {string} [stack] instead of its own
 */
export function failure(kind, message, stack) {
  const error = new Error(message);
  error.name = `Runtime.${kind}`;
  error.stack = stack ?? error.stack?.replace(/^Error/, error.name);
  return error;
}

/**
 * Writes an error down.
 *
 * @param {string} what
 * @param {unknown} thrown
 */
export function logError(what, thrown) {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  let text;
  try {
    text = JSON.stringify(error, (_, value) => withProperties(value));
  } catch {
    text = JSON.stringify(documentOf(error));
  }
  log("ERROR", [what, `\t${asOnAws(text)}`]);
}

/** @param {unknown} value */
function withProperties(value) {
  if (!(value instanceof Error)) return value;
  const { name, message, stack } = value;
  const { code } = /** @type {NodeJS.ErrnoException} */ (value);
  const found = { errorType: name, errorMessage: message, code, ...value };
  return typeof stack === "string" ? { ...found, stack: stack.split("\n") } : found;
}

/**
 * What the caller is told of an error.
 *
 * @param {any} error
 */
export function documentOf(error) {
  const clean = (/** @type {unknown} */ text) => asOnAws(String(text).replaceAll("\x7F", "%7F"));
  try {
    const looksLikeOne = HAS_CALLBACKS && error?.name && error.message && error.stack;
    if (error instanceof Error || types.isNativeError(error) || looksLikeOne) {
      const { name, message, stack } = error;
      const trace = clean(stack ?? "").split("\n");
      return { errorType: clean(name), errorMessage: clean(message), trace };
    }
    return { errorType: typeof error, errorMessage: String(error), trace: [] };
  } catch {
    const why = "there was a problem while retrieving one or more of its message, name, and stack";
    const errorMessage = `callback called with Error argument, but ${why}`;
    return { errorType: "handled", errorMessage, trace: [] };
  }
}
