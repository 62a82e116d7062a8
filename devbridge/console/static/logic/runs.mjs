/** The list of runs while it lives: what is loaded, what has come since, and what is kept back. */

import { matches } from "./filters.mjs";

/** @typedef {import("./filters.mjs").Row} Row */
/** @typedef {import("./filters.mjs").Filters} Filters */

export class RunList {
  constructor() {
    /** @type {Row[]} */ this.rows = [];
    /** @type {Row[]} New ones that wait until somebody looks at the top: nothing moves under a hand. */
    this.waiting = [];
    /** @type {string | null} */ this.after = null;
    /** @type {number | null} not known: not all were counted */ this.total = 0;
    /** Something was told that only the server can place. */
    this.stale = false;
  }

  /**
   * The first rows that the server has answered.
   * @param {{runs: Row[], after: string | null, total: number | null}} answer
   */
  filled({ runs, after, total }) {
    this.rows = runs;
    this.waiting = [];
    this.after = after;
    this.total = total;
    this.stale = false;
  }

  /** @param {{runs: Row[], after: string | null, total: number | null}} answer */
  more({ runs, after, total }) {
    const known = new Set(this.rows.map((row) => row.id));
    this.rows = [...this.rows, ...runs.filter((row) => !known.has(row.id))];
    this.after = after;
    this.total = total === null ? null : Math.max(total, this.rows.length);
  }

  /**
   * A run is new, or has changed.
   * @param {Row} row
   * @param {Filters} filters
   * @param {number} now
   * @param {boolean} held whether the rows must not move
   */
  told(row, filters, now, held) {
    for (const list of [this.rows, this.waiting]) {
      const index = list.findIndex((each) => each.id === row.id);
      // One that no more matches stays until the list is asked for again: it must not vanish.
      if (index >= 0) {
        list[index] = row;
        return;
      }
    }
    const belongs = matches(filters, row, now);
    if (belongs === null) this.stale = true;
    if (!belongs || this.isOld(row)) return;
    if (this.total !== null) this.total += 1;
    (held ? this.waiting : this.rows).unshift(row);
  }

  /** One that is further down than what is loaded. @param {Row} row */
  isOld(row) {
    const last = this.rows.at(-1);
    return (
      this.after !== null && last !== undefined && (row.created_at ?? 0) < (last.created_at ?? 0)
    );
  }

  /** What waits is shown. */
  release() {
    this.rows = [...this.waiting, ...this.rows];
    this.waiting = [];
  }
}
