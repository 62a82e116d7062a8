/** A payload out of its JSON text, and the note on what JavaScript cannot hold of it. */

const { parse } = JSON;
const IDENTIFIER = /^[A-Za-z_$][\w$]*$/;

/**
 * @param {Buffer} body a JSON text; empty: null.
 * @param {(text: string) => void} note takes a sentence on integers that lost digits.
 * @returns {unknown}
 */
export function decode(body, note) {
  if (body.length === 0) return null;
  const text = body.toString("utf8");
  const payload = parse(text);
  if (/\d{16}/.test(text)) {
    const path = unsafe(payload, "payload", 0);
    if (path) {
      note(
        `${path} is an integer beyond 2**53, of which JavaScript keeps some 16 digits: ` +
          "send it as text where each digit counts",
      );
    }
  }
  return payload;
}

/** The first integer that a number cannot be trusted with. @param {any} value @param {string} path @param {number} depth @returns {string} */
function unsafe(value, path, depth) {
  if (typeof value === "number") {
    return Number.isInteger(value) && !Number.isSafeInteger(value) ? path : "";
  }
  if (typeof value !== "object" || value === null || depth > 500) return "";
  for (const key of Object.keys(value)) {
    const dotted = IDENTIFIER.test(key) ? `${path}.${key}` : `${path}[${JSON.stringify(key)}]`;
    const found = unsafe(value[key], Array.isArray(value) ? `${path}[${key}]` : dotted, depth + 1);
    if (found) return found;
  }
  return "";
}
