/** Text that comes from runs: what one could not see is made to be seen. */

// Controls but tab and newline, and what turns or hides text: bidi marks, zero widths, line separators.
// biome-ignore lint: control characters are what is looked for
const HIDDEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g;

/**
 * Control characters as `\x1b`, others as `\u202e`: not as Unicode's pictures, which few fonts have.
 * @param {string} text
 */
export function visible(text) {
  return text.replace(HIDDEN, (found) => {
    const code = found.charCodeAt(0);
    const digits = code.toString(16);
    return code < 0x100 ? `\\x${digits.padStart(2, "0")}` : `\\u${digits.padStart(4, "0")}`;
  });
}

/**
 * Text cut to a length, with what was cut told by an ellipsis.
 * @param {string} text
 * @param {number} longest
 */
export const cut = (text, longest) =>
  text.length <= longest ? text : `${text.slice(0, longest - 1)}…`;
