/** Errors of a live function, as AWS's own runtime for Node (`aws-lambda-ric`) tells its callers. */

import { types } from "node:util";
import { describe, Fault } from "./failure.mjs";
import { isRunners } from "./frames.mjs";

/** The entry of an error's document that only the daemon reads: see `runner/function.py`. */
const OWN = "devbridge";
const LOST = "callback called with Error argument, but there was a problem while retrieving one or more of its message, name, and stack";

/**
 * The document of a request's error.
 * @param {unknown} error
 * @param {import("./frames.mjs").Place} place
 * @param {boolean} callbacks whether it is told as Node 22's runtime does.
 * @param {string[]} notes for the developer.
 */
export function raised(error, place, callbacks, notes) {
  return { ...told(error, callbacks), [OWN]: seen(error, place, notes) };
}

/**
 * The document of what keeps the handler from being loaded: its message says where that is.
 * @param {unknown} error
 * @param {import("./frames.mjs").Place} place
 * @param {boolean} callbacks
 * @param {string[]} notes
 */
export function notLoaded(error, place, callbacks, notes) {
  const document = raised(error, place, callbacks, notes);
  const where = spot(document[OWN].stackTrace.at(-1));
  return where ? { ...document, errorMessage: `${document.errorMessage} (${where})` } : document;
}

/**
 * What the developer is told.
 * @param {unknown} error
 * @param {import("./frames.mjs").Place} place
 * @param {string[]} [notes]
 */
export function seen(error, place, notes) {
  const stands = error instanceof Fault && "cause" in error;
  return describe(stands ? error.cause : error, place, notes);
}

/**
 * What the caller is told.
 * @param {any} error
 * @param {boolean} callbacks
 */
function told(error, callbacks) {
  if (error instanceof Fault) return { errorType: error.name, errorMessage: error.told, trace: traceOf(error.stack) };
  try {
    const alike = callbacks && [error?.name, error?.message, error?.stack].every((each) => typeof each === "string" && each);
    if (error instanceof Error || types.isNativeError(error) || alike) {
      return { errorType: clean(error.name), errorMessage: clean(error.message), trace: traceOf(clean(error.stack)) };
    }
    return { errorType: typeof error, errorMessage: callbacks ? error.toString() : String(error), trace: [] };
  } catch {
    return { errorType: "handled", errorMessage: LOST, trace: [] };
  }
}

/** @param {string | undefined} text */
const clean = (text) => text?.replaceAll("\x7F", "%7F");

/** @param {string | undefined} stack */
function traceOf(stack) {
  return (stack ?? "").split("\n").filter((line) => !isRunners(line));
}

/** The place in a frame: `api/start.ts:3:5`. @param {string | undefined} frame */
function spot(frame) {
  const first = frame?.split("\n", 1)[0] ?? "";
  return /\((.+)\)$/.exec(first)?.[1] ?? first.replace(/^at /, "");
}
