/**
 * A line of a log as a terminal shows it: colours (SGR of ECMA-48), and what a progress bar has
 * written over with `\r`. All other controls stay, to be seen.
 */

import { visible } from "./visible.mjs";

/** @typedef {{text: string, classes: string[], style: Record<string, string>}} Span */
/** @typedef {{bold: boolean, dim: boolean, italic: boolean, underline: boolean, strike: boolean,
 *   inverse: boolean, fore: Colour, back: Colour}} Style */
/** @typedef {number | string | null} Colour an index of the sixteen, `#rrggbb`, or the default */

// biome-ignore lint: ESC is what is looked for
const SGR = /\u001b\[([0-9;:]*)m/g;
// Links (OSC 8) are shown as their text; erasing a line (EL) means nothing without a screen.
// biome-ignore lint: ESC is what is looked for
const SILENT =
  /\u001b\](?:8;[^\u0007\u001b]*)(?:\u0007|\u001b\\)|\u001b\[[0-2]?K|\u001b\[\?25[hl]/g;
/** Longer lines are cut where they are shown; the file has them whole. */
export const LONGEST = 4000;

/** @returns {Style} */
const normal = () => ({
  bold: false,
  dim: false,
  italic: false,
  underline: false,
  strike: false,
  inverse: false,
  fore: null,
  back: null,
});

/**
 * What is left of a line after its carriage returns: the last text that was not overwritten.
 * @param {string} line
 */
export function returned(line) {
  const whole = line.endsWith("\r") ? line.slice(0, -1) : line;
  if (!whole.includes("\r")) return whole;
  let shown = "";
  for (const part of whole.split("\r")) {
    if (!part) continue;
    // A shorter text leaves the end of the longer one, unless it has erased it. Colours take no place.
    const rest = bare(part).length < bare(shown).length && !/\u001b\[[0-2]?K/.test(part);
    shown = rest ? part + bare(shown).slice(bare(part).length) : part;
  }
  return shown;
}

/**
 * A text without its colours.
 * @param {string} text
 */
export const bare = (text) => text.replace(SGR, "").replace(SILENT, "");

/**
 * The spans of a line.
 * @param {string} line
 * @returns {Span[]}
 */
export function spans(line) {
  const whole = returned(line).replace(SILENT, "");
  const text = whole.length > LONGEST ? `${whole.slice(0, LONGEST)} …` : whole;
  /** @type {Span[]} */ const found = [];
  const style = normal();
  let from = 0;
  for (const match of text.matchAll(SGR)) {
    add(found, text.slice(from, match.index), style);
    apply(style, match[1] ?? "");
    from = match.index + match[0].length;
  }
  add(found, text.slice(from), style);
  return found;
}

/** @param {Span[]} found @param {string} text @param {Style} style */
function add(found, text, style) {
  if (!text) return;
  const [fore, back] = style.inverse
    ? [style.back ?? "bg", style.fore ?? "fg"]
    : [style.fore, style.back];
  const classes = [];
  if (style.bold) classes.push("a-bold");
  if (style.dim) classes.push("a-dim");
  if (style.italic) classes.push("a-italic");
  if (style.underline) classes.push("a-underline");
  if (style.strike) classes.push("a-strike");
  /** @type {Record<string, string>} */ const shades = {};
  if (fore === "bg") classes.push("a-bg");
  else if (typeof fore === "string") shades.color = fore;
  else if (fore !== null) {
    classes.push("a-ink");
    shades["--ink-of"] = `var(--a${fore})`;
  }
  if (back === "fg") classes.push("a-on-fg");
  else if (typeof back === "string") shades["background-color"] = back;
  else if (back !== null) {
    classes.push("a-on");
    shades["--on"] = `var(--a${back})`;
  }
  found.push({ text: visible(text), classes, style: shades });
}

/** @type {Record<number, Partial<Style>>} */
const SWITCHES = {
  1: { bold: true },
  2: { dim: true },
  3: { italic: true },
  4: { underline: true },
  7: { inverse: true },
  9: { strike: true },
  21: { underline: true },
  22: { bold: false, dim: false },
  23: { italic: false },
  24: { underline: false },
  27: { inverse: false },
  29: { strike: false },
  39: { fore: null },
  49: { back: null },
};

/** @param {Style} style @param {string} parameters */
function apply(style, parameters) {
  const codes = parameters.split(/[;:]/).map(Number);
  for (let index = 0; index < codes.length; index += 1) {
    const code = codes[index] ?? 0;
    if (code === 0) Object.assign(style, normal());
    else if (SWITCHES[code]) Object.assign(style, SWITCHES[code]);
    else if (code >= 30 && code <= 37) style.fore = code - 30;
    else if (code >= 90 && code <= 97) style.fore = code - 82;
    else if (code >= 40 && code <= 47) style.back = code - 40;
    else if (code >= 100 && code <= 107) style.back = code - 92;
    else if (code === 38 || code === 48) {
      const many = codes[index + 1] === 2 ? 4 : 2;
      style[code === 38 ? "fore" : "back"] = extended(codes.slice(index + 1, index + 1 + many));
      index += many;
    }
  }
}

/** @param {number[]} codes @returns {Colour} */
function extended([kind, first = 0, second = 0, third = 0]) {
  if (kind === 2) return hex(first, second, third);
  if (kind !== 5 || first > 255) return null;
  if (first < 16) return first;
  if (first > 231) return hex(...grey(8 + (first - 232) * 10));
  const step = (/** @type {number} */ part) => (part ? 55 + part * 40 : 0);
  const cube = first - 16;
  return hex(step(Math.floor(cube / 36)), step(Math.floor(cube / 6) % 6), step(cube % 6));
}

/** @param {number} value @returns {[number, number, number]} */
const grey = (value) => [value, value, value];

/** @param {number} r @param {number} g @param {number} b */
const hex = (r, g, b) =>
  `#${[r, g, b]
    .map((part) =>
      Math.min(255, part || 0)
        .toString(16)
        .padStart(2, "0"),
    )
    .join("")}`;
