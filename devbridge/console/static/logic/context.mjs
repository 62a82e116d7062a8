/** What stands at a place of a JSON text that need not be whole yet. */

import { tokens } from "./json.mjs";

/**
 * @typedef {import("./json.mjs").Token} Token
 * @typedef {(string | number)[]} Path
 * @typedef {{path: Path, role: "key" | "value", from: number, to: number, typed: string,
 *   keys: string[], colon: boolean}} Context
 * @typedef {{token: Token, index: number, key: string, ready: boolean}} Open
 */

/**
 * What stands at an offset of a text that need not be whole: the path that leads there, and whether
 * a name or a value belongs there.
 * @param {string} text
 * @param {number} offset
 * @returns {Context}
 */
export function contextAt(text, offset) {
  const all = tokens(text);
  /** @type {Open[]} */
  const stack = [];
  let here = -1;
  for (const [number, token] of all.entries()) {
    if (token.from >= offset) break;
    if (inside(token, offset, text)) {
      here = number;
      break;
    }
    advance(stack, token, text);
  }
  const token = all[here];
  const top = stack.at(-1);
  const path = stack.map((each) => (each.token.type === "[" ? each.index : each.key));
  const role = top?.token.type === "{" && !top.ready ? "key" : "value";
  if (role === "key") path.pop();
  const from = token?.from ?? offset;
  const next = all.find((each) => each.from >= (token?.to ?? offset));
  return {
    path,
    role,
    from,
    to: token?.to ?? offset,
    typed: text.slice(from, offset),
    keys: top ? keysOf(all, top.token, text) : [],
    colon: next?.type === ":",
  };
}

/** @param {Token} token @param {number} offset @param {string} text */
function inside(token, offset, text) {
  if ("{}[]:,".includes(token.type) || offset > token.to) return false;
  if (offset < token.to || token.type !== "string") return true;
  return token.to - token.from < 2 || text[token.to - 1] !== '"';
}

/**
 * @param {Open[]} stack
 * @param {Token} token
 * @param {string} text
 */
function advance(stack, token, text) {
  const top = stack.at(-1);
  if (token.type === "{" || token.type === "[") {
    stack.push({ token, index: 0, key: "", ready: false });
  } else if (token.type === "}" || token.type === "]") {
    stack.pop();
  } else if (token.type === ":" && top) {
    top.ready = true;
  } else if (token.type === "," && top) {
    top.index += 1;
    top.ready = false;
  } else if (token.type === "string" && top?.token.type === "{" && !top.ready) {
    top.key = unquoted(text.slice(token.from, token.to));
  }
}

/** @param {Token[]} all @param {Token} open @param {string} text */
function keysOf(all, open, text) {
  let depth = 0;
  const keys = [];
  for (const token of all.slice(all.indexOf(open))) {
    if (token.type === "{" || token.type === "[") depth += 1;
    if (token.type === "}" || token.type === "]") depth -= 1;
    if (depth === 0) break;
    if (depth === 1 && token.key) keys.push(unquoted(text.slice(token.from, token.to)));
  }
  return keys;
}

/** @param {string} raw */
export function unquoted(raw) {
  try {
    return /** @type {string} */ (JSON.parse(raw));
  } catch {
    return raw.replaceAll('"', "");
  }
}
