/**
 * Which rows of a long list are seen. Browsers cap an element's height (Chromium near 33.5 million
 * pixels, Firefox near 17.9): beyond `TALLEST` the bar stands for more rows than it has pixels. A
 * wheel's step moves the rows by just that step all the same; only a long way is taken in proportion.
 */

/** Pixels that every browser lays out exactly. */
export const TALLEST = 15_000_000;

export class Scrolling {
  /** @param {number} row the height of one, in pixels. */
  constructor(row) {
    this.row = row;
    this.total = 0;
    this.viewport = 0;
    /** The bar's place, as the browser has it. */
    this.bar = 0;
    /** The first pixel of the rows that is seen. */
    this.top = 0;
  }

  /** Pixels of all rows. */
  get height() {
    return this.total * this.row;
  }

  /** Pixels of the element that the bar is for. */
  get shown() {
    return Math.min(this.height, TALLEST);
  }

  get furthest() {
    return Math.max(0, this.height - this.viewport);
  }

  get furthestBar() {
    return Math.max(0, this.shown - this.viewport);
  }

  get exact() {
    return this.height <= TALLEST;
  }

  /** Whether the last row is seen whole, or nearly so. */
  get atEnd() {
    return this.top >= this.furthest - this.row / 2;
  }

  /**
   * There are other rows, or there is another room for them. Who looked at the end still does, if asked.
   * @param {number} total
   * @param {number} viewport
   * @param {boolean} follow
   */
  resized(total, viewport, follow) {
    this.total = total;
    this.viewport = viewport;
    this.top = follow ? this.furthest : Math.min(this.top, this.furthest);
    return this.settle();
  }

  /**
   * The bar was moved, by whatever means.
   * @param {number} bar
   */
  moved(bar) {
    const by = bar - this.bar;
    this.bar = bar;
    if (this.exact) this.top = bar;
    else if (bar <= 0) this.top = 0;
    else if (bar >= this.furthestBar) this.top = this.furthest;
    else if (Math.abs(by) <= this.viewport) this.top += by;
    else this.top = (bar / this.furthestBar) * this.furthest;
    this.top = Math.max(0, Math.min(this.top, this.furthest));
  }

  /** Where the bar belongs for what is seen: asked when nobody moves it. */
  settle() {
    this.bar = this.exact
      ? this.top
      : Math.round((this.top / Math.max(1, this.furthest)) * this.furthestBar);
    return this.bar;
  }

  /**
   * Go so far that a row is seen.
   * @param {number} index
   * @param {"nearest" | "centre"} where
   */
  reveal(index, where = "nearest") {
    const from = index * this.row;
    if (where === "centre") this.top = from - (this.viewport - this.row) / 2;
    else if (from < this.top) this.top = from;
    else if (from + this.row > this.top + this.viewport) this.top = from + this.row - this.viewport;
    this.top = Math.max(0, Math.min(this.top, this.furthest));
    return this.settle();
  }

  /** The rows to draw, a few more than are seen, and how far above the view the first one is. */
  window(more = 6) {
    const first = Math.max(0, Math.floor(this.top / this.row) - more);
    const last = Math.min(this.total, Math.ceil((this.top + this.viewport) / this.row) + more);
    return { first, count: Math.max(0, last - first), offset: first * this.row - this.top };
  }
}

/**
 * The chunks of `size` rows that a window needs and that are not there yet.
 * @param {number} first
 * @param {number} count
 * @param {number} size
 * @param {(chunk: number) => boolean} has
 */
export function missing(first, count, size, has) {
  const found = [];
  for (let chunk = Math.floor(first / size); chunk * size < first + count; chunk += 1) {
    if (!has(chunk)) found.push(chunk);
  }
  return found;
}
