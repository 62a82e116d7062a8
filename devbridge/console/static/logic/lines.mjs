/** Which lines of a log are here: chunks that were asked for, the latest used kept. */

/** Lines that are asked for at once. */
export const CHUNK = 200;
/** Chunks that are kept: what a reader has near. */
export const KEPT = 300;

/** @typedef {{attempt: number, line: number | null}} Attempt where its part of the log begins */

export class Lines {
  constructor() {
    this.total = 0;
    this.complete = false;
    this.version = "";
    /** @type {Map<number, string[]>} */ this.chunks = new Map();
    /** The end may have changed since it was asked for. */
    this.stale = false;
  }

  /**
   * There are so many lines now.
   * @param {number} total
   * @param {boolean} complete
   */
  told(total, complete) {
    // A last line may have grown with no line added, until it is complete.
    this.stale ||= total !== this.total || !complete || !this.complete;
    this.total = total;
    this.complete = complete;
  }

  /**
   * @param {number} chunk
   * @param {{lines: string[], total: number, complete: boolean, version?: string}} answer
   */
  put(chunk, { lines, total, complete, version = "" }) {
    // Another version: the lines have other numbers now.
    if (version !== this.version || total < this.total) this.chunks.clear();
    this.version = version;
    this.total = total;
    this.complete = complete;
    this.chunks.delete(chunk);
    this.chunks.set(chunk, lines);
    const [oldest] = this.chunks.keys();
    if (this.chunks.size > KEPT && oldest !== undefined) this.chunks.delete(oldest);
  }

  /** One line, or nothing while it is on its way. @param {number} index */
  at(index) {
    return this.chunks.get(Math.floor(index / CHUNK))?.[index % CHUNK];
  }

  /** @param {number} chunk */
  isLast(chunk) {
    return chunk === Math.floor(Math.max(0, this.total - 1) / CHUNK);
  }

  /** Whether all lines of a chunk are here that there are. @param {number} chunk */
  has(chunk) {
    const lines = this.chunks.get(chunk);
    if (!lines) return false;
    const whole = Math.min(CHUNK, this.total - chunk * CHUNK);
    return lines.length >= whole && !(this.stale && this.isLast(chunk));
  }
}

/**
 * The part of a log that is one attempt's, or all of it.
 * @param {Attempt[]} attempts
 * @param {number | null} attempt
 * @param {number} total
 */
export function partOf(attempts, attempt, total) {
  const index = attempts.findIndex((each) => each.attempt === attempt);
  const from = Math.min(attempts[index]?.line ?? 0, total);
  const after = attempts.slice(index + 1).find((each) => each.line !== null)?.line;
  return { from, total: Math.max(0, (index < 0 ? total : (after ?? total)) - from) };
}

/**
 * The parts of a text that are looked for, and those between.
 * @param {string} text
 * @param {string} wanted
 * @returns {{text: string, found: boolean}[]}
 */
export function marked(text, wanted) {
  if (!wanted) return [{ text, found: false }];
  const [low, looked] = [text.toLowerCase(), wanted.toLowerCase()];
  // Some letters have another length in lower case: then nothing is marked, rather than the wrong part.
  if (low.length !== text.length) return [{ text, found: false }];
  const parts = [];
  let from = 0;
  for (let at = low.indexOf(looked); at >= 0; at = low.indexOf(looked, from)) {
    if (at > from) parts.push({ text: text.slice(from, at), found: false });
    from = at + looked.length;
    parts.push({ text: text.slice(at, from), found: true });
  }
  if (from < text.length) parts.push({ text: text.slice(from), found: false });
  return parts;
}
