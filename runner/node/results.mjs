/** A handler's result, or what it yields, as JSON, or where in it the value is that JSON does not have. */

import { types } from "node:util";
import { ResultNotJson } from "./failure.mjs";

const { stringify } = JSON; // the user's code may replace it
const IDENTIFIER = /^[A-Za-z_$][\w$]*$/;

/**
 * The result as `JSON.stringify` writes it; `undefined` is null.
 *
 * What it would leave out or write as something else (functions, symbols, NaN, maps, promises) is
 * refused: the caller would get less than what was returned.
 *
 * @param {unknown} result
 * @param {string} what it is called.
 * @param {new (message: string) => Error} Refused what is thrown.
 * @returns {Buffer}
 * @throws {ResultNotJson} naming the value and its path inside the result.
 */
export function encode(result, what = "result", Refused = ResultNotJson) {
  /** @type {object[]} */ const holders = [];
  /** @type {string[]} */ const keys = [];
  const given = what === "result" ? "return" : "yield";

  /** @this {any} @param {string} key @param {unknown} value */
  function check(key, value) {
    while (holders.length > 0 && holders[holders.length - 1] !== this) {
      holders.pop();
      keys.pop();
    }
    const kind = typeof value;
    if (kind === "string" || kind === "boolean" || value === null || kind === "undefined") return value;
    const why = kind === "object" ? problem(/** @type {object} */ (value), holders) : refused(value);
    if (why) throw new Refused(`${pathOf(what, holders, [...keys, key])} ${why.replace("%", given)}`);
    if (kind === "object") {
      holders.push(/** @type {object} */ (value));
      keys.push(key);
    }
    return value;
  }

  let text;
  try {
    text = stringify(result, check);
  } catch (error) {
    if (error instanceof RangeError && error.message.includes("call stack")) {
      throw new Refused(`the ${what} is nested too deeply for JSON`);
    }
    if (error instanceof RangeError && error.message === "Invalid string length") {
      throw new Refused(`the ${what} is too long for a text`);
    }
    throw error;
  }
  return Buffer.from(text ?? "null");
}

/** Why, where "%" is what is done with it. @param {unknown} value */
function refused(value) {
  if (typeof value === "number") {
    return Number.isFinite(value) ? "" : `is ${value}, which JSON does not have`;
  }
  const remedy = typeof value === "bigint" ? ": % it as text" : "";
  return `is a ${typeof value}, which JSON does not have${remedy}`;
}

/** @param {object} value @param {object[]} holders */
function problem(value, holders) {
  if (holders.includes(value)) return "contains itself";
  if (types.isPromise(value)) return "is a Promise: await it";
  if (types.isMap(value)) return "is a Map, which JSON does not have: Object.fromEntries makes it an object";
  if (types.isSet(value)) return "is a Set, which JSON does not have: spread it into an array";
  if (types.isBigIntObject(value)) return "is a bigint, which JSON does not have: % it as text";
  return "";
}

/** @param {string} what @param {object[]} holders @param {string[]} keys from the result's own "", down. */
function pathOf(what, holders, keys) {
  return keys.slice(1).reduce((path, key, index) => {
    if (Array.isArray(holders[index])) return `${path}[${key}]`;
    return IDENTIFIER.test(key) ? `${path}.${key}` : `${path}[${stringify(key)}]`;
  }, what);
}
