/** Regular expressions as Python reads them, for what reads them here. */

/** @type {Map<string, RegExp | undefined>} */
const made = new Map();
/** What Python's classes have beyond ASCII: a sender must not refuse what the handler would take. */
/** @type {Record<string, [outside: string, inside: string | undefined]>} */
const CLASSES = {
  d: ["\\p{Nd}", "\\p{Nd}"],
  D: ["\\P{Nd}", "\\P{Nd}"],
  w: ["[\\p{L}\\p{N}_]", "\\p{L}\\p{N}_"],
  W: ["[^\\p{L}\\p{N}_]", undefined],
  s: ["[\\s\\x1c-\\x1f\\x85]", "\\s\\x1c-\\x1f\\x85"],
  S: ["[^\\s\\x1c-\\x1f\\x85]", undefined],
  A: ["^", undefined],
  Z: ["$", undefined],
};

/**
 * What tests texts by a pattern of Python's; undefined if there is no way to say it here, and then
 * nothing is refused.
 * @param {string} pattern
 * @returns {RegExp | undefined}
 */
export function matcher(pattern) {
  if (!made.has(pattern)) made.set(pattern, compiled(pattern));
  return made.get(pattern);
}

/** @param {string} pattern */
function compiled(pattern) {
  const flags = /^\(\?([ims]+)\)/.exec(pattern);
  const body = translated(flags ? pattern.slice(flags[0].length) : pattern);
  if (body === undefined) return undefined;
  try {
    return new RegExp(body, `u${flags?.[1] ?? ""}`);
  } catch {
    return undefined;
  }
}

/** @param {string} pattern */
function translated(pattern) {
  let inside = false;
  let text = "";
  for (let at = 0; at < pattern.length; at++) {
    const c = pattern.charAt(at);
    if (c === "\\") {
      const next = pattern.charAt(++at);
      const known = CLASSES[next];
      const own = known ? known[inside ? 1 : 0] : escaped(next);
      if (own === undefined) return undefined;
      text += own;
    } else if (!inside && pattern.startsWith("(?P<", at)) {
      text += "(?<";
      at += 3;
    } else {
      if (c === "[" && !inside) {
        inside = true;
        // A ']' that comes first is a member to Python.
        const first = /^\[\^?\]/.exec(pattern.slice(at));
        if (first) {
          text += `${first[0].slice(0, -1)}\\]`;
          at += first[0].length - 1;
          continue;
        }
      } else if (c === "]" && inside) {
        inside = false;
      } else if (c === "[" && inside) {
        text += "\\[";
        continue;
      } else if ((c === "{" || c === "}" || c === "]") && !inside && !quantifies(pattern, at)) {
        text += `\\${c}`;
        continue;
      }
      text += c;
    }
  }
  return text;
}

/**
 * An escape that is no class; with the flag u, none but these is allowed.
 * @param {string} next
 */
function escaped(next) {
  if (/[\^$\\.*+?()[\]{}|/\-]/.test(next) || /[bBnrtfvx0-9u]/.test(next)) return `\\${next}`;
  return /[a-zA-Z]/.test(next) ? undefined : next;
}

/**
 * Whether a brace is a part of {1,2}.
 * @param {string} pattern
 * @param {number} at
 */
function quantifies(pattern, at) {
  const start = pattern.lastIndexOf("{", at);
  const found = /^\{\d+(?:,\d*)?\}/.exec(pattern.slice(Math.max(start, 0)));
  return start >= 0 && found !== null && at < start + found[0].length && pattern.charAt(at) !== "]";
}
