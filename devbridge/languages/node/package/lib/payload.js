/** Payloads written as JSON text: what JSON has no form for is refused, never dropped. */
import { PayloadNotJson, PayloadTooLarge } from "./errors.js";

/** AWS Lambda's limit for a synchronous request, in bytes. */
export const MAX_BYTES = 6 * 1024 * 1024;

/** A fraction that ends in 0, or more digits than each float has; in a text it does no harm. */
const MANY_DIGITS = /\.\d+0(?!\d)|\d[\d.]{16}/;

/**
 * A payload as JSON text. `undefined` is null, and a member that is undefined is left out.
 * @param {unknown} value
 * @returns {string}
 * @throws {PayloadNotJson} it holds something that JSON has no form for; the path is named
 */
export function dump(value) {
  /** @type {WeakMap<object, string>} */
  const paths = new WeakMap();
  try {
    return JSON.stringify(value === undefined ? null : value, function (key, member) {
      const holder = paths.get(this);
      const path =
        holder === undefined ? "$" : Array.isArray(this) ? `${holder}[${key}]` : `${holder}.${key}`;
      // JSON.stringify has called toJSON already: this is what the object holds.
      const problem = unsendable(/** @type {any} */ (this)[key]) ?? unsendable(member);
      if (problem) {
        throw new PayloadNotJson(`the payload cannot be written as JSON: ${problem.what}`, {
          where: path,
          remedy: problem.remedy,
        });
      }
      if (typeof member === "object" && member !== null) paths.set(member, path);
      return member;
    });
  } catch (error) {
    if (error instanceof PayloadNotJson) throw error;
    const why = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
    throw new PayloadNotJson(`the payload cannot be written as JSON: ${why}`, {
      where: `payload of type ${typeName(value)}`,
      remedy: "send objects, arrays, strings, numbers, booleans and null",
      cause: error,
    });
  }
}

/**
 * The text as bytes, if AWS Lambda takes that many.
 * @param {string} text
 * @returns {Buffer}
 * @throws {PayloadTooLarge} it is over 6 MB
 */
export function checkedSize(text) {
  const body = Buffer.from(text, "utf8");
  if (body.length > MAX_BYTES) {
    const count = (/** @type {number} */ n) => n.toLocaleString("en-US");
    throw new PayloadTooLarge(
      `the payload has ${count(body.length)} bytes; AWS Lambda takes ${count(MAX_BYTES)}`,
      { remedy: "put it in S3 and send the key" },
    );
  }
  return body;
}

/**
 * Whether a JSON text may have numbers that would lose digits if it were read and written.
 * @param {string} text
 */
export function needsText(text) {
  return MANY_DIGITS.test(text);
}

/**
 * Why a value would not arrive as it is, and what to send; nothing if it would.
 * @param {unknown} value
 * @returns {{ what: string, remedy: string } | undefined}
 */
function unsendable(value) {
  switch (typeof value) {
    case "bigint":
      return { what: "a bigint", remedy: "send it as text, or Number(it) if it is safe" };
    case "function":
    case "symbol":
      return { what: `a ${typeof value}`, remedy: "leave it out" };
    case "number":
      return Number.isFinite(value)
        ? undefined
        : { what: `${value}, which JSON does not have`, remedy: "send null or a text" };
    case "object":
      return value === null ? undefined : unsendableObject(value);
  }
  return undefined;
}

/** @param {object} value */
function unsendableObject(value) {
  const kind = typeName(value);
  if (value instanceof Map || value instanceof WeakMap) {
    return { what: `a ${kind}, of which nothing is written`, remedy: "send Object.fromEntries(it)" };
  }
  if (value instanceof Set || value instanceof WeakSet) {
    return { what: `a ${kind}, of which nothing is written`, remedy: "send an array: [...it]" };
  }
  if (value instanceof Promise) return { what: "a promise", remedy: "await it" };
  if (value instanceof Date && Number.isNaN(value.getTime())) {
    return { what: "an invalid Date", remedy: "send null or a text" };
  }
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) {
    return { what: `bytes (${kind})`, remedy: 'send text: Buffer.from(it).toString("base64")' };
  }
  return undefined;
}

/** @param {unknown} value */
function typeName(value) {
  if (typeof value !== "object" || value === null) return value === null ? "null" : typeof value;
  const name = value.constructor?.name;
  return typeof name === "string" && name ? name : "object";
}
