/**
 * The log of a run: only the lines that are seen are asked for and drawn, however many there are. An
 * attempt's log is a part of it.
 */

import { get, part } from "../api.mjs";
import { h, patch, value } from "../dom.mjs";
import { spans } from "../logic/ansi.mjs";
import { CHUNK, Lines, marked, partOf } from "../logic/lines.mjs";
import { missing } from "../logic/scrolling.mjs";
import { count, plural } from "../logic/words.mjs";
import { button, copy, icon, search } from "../parts.mjs";

/** @typedef {import("./virtual-rows.mjs").VirtualRows} VirtualRows */
/** @typedef {import("../logic/lines.mjs").Attempt} Attempt */

const ROW = 20;
/** Characters that may go onto the clipboard. */
const COPIED = 20_000_000;

export class LogView extends HTMLElement {
  constructor() {
    super();
    this.run = "";
    /** @type {Attempt[]} */ this.attempts = [];
    /** @type {number | null} The attempt whose part is shown. */ this.attempt = null;
    this.lines = new Lines();
    this.follow = true;
    /** @type {number | null} */ this.chosen = null;
    this.wanted = "";
    this.said = "";
    this.asking = new Set();
    this.error = "";
    this.jump = false;
    this.frame = 0;
  }

  /**
   * Which log is shown, and how much of it there is; null: nobody knows yet.
   * @param {{run: string, attempts: Attempt[], end: {total: number, complete: boolean} | null,
   *   line: number | null}} log
   */
  set log(log) {
    if (log.run !== this.run) {
      this.run = log.run;
      this.lines = new Lines();
      this.attempt = null;
      this.chosen = log.line;
      this.follow = log.line === null;
      this.jump = log.line !== null;
    }
    this.attempts = log.attempts;
    if (log.end) this.grown(log.end.total, log.end.complete);
    else void this.ask(0);
  }

  /** More has been written, or all. @param {number} total @param {boolean} complete */
  grown(total, complete) {
    this.lines.told(total, complete);
    this.later();
  }

  connectedCallback() {
    this.later();
  }

  later() {
    if (this.frame || !this.isConnected) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  get range() {
    return partOf(this.attempts, this.attempt, this.lines.total);
  }

  /** @returns {VirtualRows | null} */
  get rows() {
    return this.querySelector("virtual-rows");
  }

  draw() {
    const { lines } = this;
    const { from, total } = this.range;
    const none = lines.complete ? "It has printed nothing." : "Nothing is printed yet.";
    patch(
      this,
      h(
        "div.logbar",
        this.search(),
        this.choice(),
        h("output", this.said),
        h("span.gap"),
        this.tools(total),
      ),
      h("virtual-rows.log", {
        tabindex: 0,
        role: "region",
        "aria-label": "Log lines",
        style: { "--digits": count(lines.total).length },
        ".model": {
          total,
          height: ROW,
          follow: this.follow,
          draw: (/** @type {number} */ index) => this.line(from + index),
          seen: (/** @type {number} */ first, /** @type {number} */ many) =>
            this.seen(from + first, many),
          moved: (/** @type {boolean} */ atEnd) => this.moved(atEnd),
        },
      }),
      total === 0 && h("p.none", this.error || none),
    );
    if (this.jump && this.chosen !== null && total) {
      this.jump = false;
      this.rows?.reveal(this.chosen - from, "centre");
    }
  }

  search() {
    const onkeydown = (/** @type {KeyboardEvent} */ event) => {
      if (event.key === "Enter") void this.find(event.shiftKey ? -1 : 1);
    };
    return search("Search the log", "Search the log", undefined, (text) => this.look(text), {
      onkeydown,
    });
  }

  choice() {
    if (this.attempts.length < 2) return null;
    return h(
      "select",
      {
        "aria-label": "Attempt",
        ".value": this.attempt === null ? "" : String(this.attempt),
        onchange: value((text) => this.choose(text)),
      },
      h("option", { value: "" }, "All attempts"),
      this.attempts.map(({ attempt, line }) =>
        h("option", { value: attempt, disabled: line === null }, `Attempt ${attempt}`),
      ),
    );
  }

  /** @param {number} total */
  tools(total) {
    return [
      h("span.count", plural(total, "line")),
      button("Follow the end (G)", "end", () => this.toEnd(), { bare: true, pressed: this.follow }),
      button("Copy the log", "copy", () => void this.attempted(() => this.copy()), { bare: true }),
      h(
        "a.button.bare",
        {
          href: this.file(),
          download: "",
          "aria-label": "Download the log",
          title: "Download the log",
        },
        icon("down"),
      ),
    ];
  }

  file() {
    return `/api/runs/${part(this.run)}/log.txt`;
  }

  /** @param {number} index */
  line(index) {
    const text = this.lines.at(index);
    const note = text?.startsWith("--- devbridge: ");
    return h(
      "div",
      { class: `row ${index === this.chosen ? "chosen" : ""} ${note ? "note" : ""}`, key: index },
      h(
        "button.number",
        {
          tabindex: -1,
          "aria-label": `Line ${count(index + 1)}`,
          onclick: () => this.point(index),
        },
        count(index + 1),
      ),
      h("span.text", text === undefined ? "" : spans(text).map((span) => this.span(span))),
    );
  }

  /** @param {import("../logic/ansi.mjs").Span} span */
  span(span) {
    const parts = marked(span.text, this.wanted).map((part) =>
      part.found ? h("mark", part.text) : part.text,
    );
    if (!span.classes.length && !Object.keys(span.style).length) return parts;
    return h("span", { class: span.classes.join(" "), style: span.style }, parts);
  }

  /** @param {number} first @param {number} many */
  seen(first, many) {
    for (const chunk of missing(first, many, CHUNK, (each) => this.lines.has(each)))
      void this.ask(chunk);
  }

  /** @param {number} chunk */
  async ask(chunk) {
    const { run, lines } = this;
    if (this.asking.has(chunk)) return;
    this.asking.add(chunk);
    if (lines.isLast(chunk)) lines.stale = false;
    try {
      const answer = await get(`runs/${part(run)}/log`, { from: chunk * CHUNK, count: CHUNK });
      if (lines === this.lines) {
        this.error = "";
        lines.put(chunk, answer);
      }
    } catch (error) {
      this.error = error instanceof Error ? error.message : String(error);
      if (lines.isLast(chunk)) lines.stale = true;
    } finally {
      this.asking.delete(chunk);
      // After an error nothing is asked again by itself: the stream tells when somebody is there.
      if (lines === this.lines && !this.error) this.later();
    }
  }

  /** @param {boolean} atEnd */
  moved(atEnd) {
    if (atEnd === this.follow) return;
    this.follow = atEnd;
    this.later();
  }

  toEnd() {
    this.follow = true;
    this.draw();
  }

  /** @param {string} attempt */
  choose(attempt) {
    this.attempt = attempt ? Number(attempt) : null;
    this.follow = false;
    this.draw();
    this.rows?.reveal(0);
  }

  /** @param {string} wanted */
  look(wanted) {
    this.wanted = wanted;
    this.said = "";
    this.later();
  }

  /** What does not work is said in its place. @param {() => Promise<void>} act */
  async attempted(act) {
    try {
      await act();
    } catch (error) {
      this.said = error instanceof Error ? error.message : String(error);
    }
    this.later();
  }

  /** The next line with what is looked for, from the one that is chosen. @param {1 | -1} way */
  find(way = 1) {
    return this.attempted(() => this.seek(way));
  }

  /** @param {1 | -1} way */
  async seek(way) {
    if (!this.wanted) return;
    const { from, total } = this.range;
    const start = this.chosen === null ? from : this.chosen + way;
    const line =
      (await this.asked(start, way)) ?? (await this.asked(way > 0 ? from : from + total - 1, way));
    this.said = line === null ? "Not found" : `Line ${count(line + 1)}`;
    if (line === null) return;
    this.follow = false;
    this.point(line);
    this.rows?.reveal(line - from, "centre");
  }

  /** @param {number} start @param {1 | -1} way @returns {Promise<number | null>} */
  async asked(start, way) {
    const { from, total } = this.range;
    if (start < from || start >= from + total) return null;
    const query = { find: this.wanted, from: start, back: way < 0 ? "true" : null };
    const { line } = await get(`runs/${part(this.run)}/log`, query);
    return line !== null && line >= from && line < from + total ? line : null;
  }

  /** @param {number} line */
  point(line) {
    this.chosen = line;
    this.dispatchEvent(new CustomEvent("pointed", { detail: line, bubbles: true }));
    this.draw();
  }

  async copy() {
    const answer = await fetch(this.file());
    const text = await answer.text();
    if (!answer.ok) throw new Error("The log cannot be read");
    if (text.length <= COPIED) await copy(text);
    this.said = text.length > COPIED ? "Too long to copy: download it" : "Copied";
  }
}

customElements.define("log-view", LogView);
