/**
 * When the stream of changes is opened, closed and opened again. Pure: what happened goes in, what is
 * to be done comes out.
 */

/**
 * @typedef {"connecting" | "live" | "offline" | "hidden" | "closed"} State
 * @typedef {"start" | "opened" | "lost" | "failed" | "due" | "hidden" | "shown" | "stop" | "asked"} Happening
 * @typedef {{open?: boolean, close?: boolean, wait?: number, reload?: boolean}} Effect
 */

const SHORTEST = 500;
const LONGEST = 8000;

export class Connection {
  constructor() {
    /** @type {State} */ this.state = "closed";
    this.failures = 0;
    /** Whether something may have been missed since the pages were last filled. */
    this.missed = false;
  }

  /** Milliseconds until it is tried again: twice as many each time. */
  get delay() {
    return Math.min(LONGEST, SHORTEST * 2 ** Math.max(0, this.failures - 1));
  }

  /**
   * @param {Happening} what
   * @returns {Effect}
   */
  on(what) {
    if (this.state === "closed" && what !== "start") return {};
    if (what === "start" || what === "shown" || what === "asked") {
      if (this.state === "live" || this.state === "connecting") return {};
      this.state = this.failures ? "offline" : "connecting";
      return { open: true };
    }
    if (what === "opened") {
      const reload = this.missed;
      this.state = "live";
      this.failures = 0;
      this.missed = false;
      return { reload };
    }
    if (what === "due") return this.state === "offline" ? { open: true } : {};
    if (what === "lost") {
      // The browser tries again by itself, and says what it knows: the server tells the rest. What
      // was asked for in between has failed, and is asked for again.
      this.state = "offline";
      this.missed = true;
      return {};
    }
    if (what === "failed") {
      if (this.state === "hidden") return {};
      this.state = "offline";
      this.failures += 1;
      this.missed = true;
      return { close: true, wait: this.delay };
    }
    this.state = what === "stop" ? "closed" : "hidden";
    this.missed = true;
    return { close: true };
  }
}
