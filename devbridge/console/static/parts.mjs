/** What several pages show: states, times, plots, and the states of a page that has nothing to show. */

import { h, value } from "./dom.mjs";
import { bars } from "./logic/plots.mjs";
import { cut } from "./logic/visible.mjs";
import { ago, duration, moment, stateWord } from "./logic/words.mjs";

/** @typedef {import("./dom.mjs").VNode} VNode */
/** @typedef {import("./dom.mjs").Nested} Nested */

/** Shapes on a grid of 16, drawn with a pen of 1.5. @type {Record<string, string>} */
const SHAPES = {
  SUCCEEDED: "M3.5 8.5l3 3 6-7",
  FAILED: "M4 4l8 8M12 4l-8 8",
  TIMED_OUT: "M8 4v4l3 2M8 2a6 6 0 1 0 .01 0z",
  CRASHED: "M9 2L4 9h4l-1 5 5-7H8z",
  CANCELLED: "M8 2a6 6 0 1 0 .01 0zM4 12l8-8",
  INTERRUPTED: "M6 4v8M10 4v8",
  PAUSED: "M6 4v8M10 4v8",
  RUNNING: "M8 2.5a5.5 5.5 0 1 1-5.5 5.5",
  STARTING: "M8 2.5a5.5 5.5 0 1 1-5.5 5.5",
  QUEUED: "M4 8h.01M8 8h.01M12 8h.01",
  SCHEDULED: "M8 5v3l2 1.5M8 2.5a5.5 5.5 0 1 0 .01 0z",
  job: "M2.5 5.5h11v7h-11zM6 5.5v-2h4v2M2.5 9h11",
  function: "M11 3H9.5Q8 3 7.8 5L7 11q-.2 2-1.7 2H4M5.5 7h5",
  link: "M6.5 9.5l3-3M7.5 5L9 3.5a2.5 2.5 0 0 1 3.5 3.5L11 8.5M8.5 11L7 12.5A2.5 2.5 0 0 1 3.5 9L5 7.5",
  search: "M7 2.5a4.5 4.5 0 1 0 .01 0zM10.5 10.5l3 3",
  sun: "M8 5.5a2.5 2.5 0 1 0 .01 0zM8 1.5v1.5M8 13v1.5M1.5 8h1.5M13 8h1.5M3.4 3.4l1 1M11.6 11.6l1 1M3.4 12.6l1-1M11.6 4.4l1-1",
  moon: "M13 9.5A5.5 5.5 0 1 1 6.5 3 4.5 4.5 0 0 0 13 9.5z",
  system: "M2.5 3.5h11v7h-11zM6 13.5h4",
  copy: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
  down: "M8 2.5v8M4.5 7.5L8 11l3.5-3.5M3 13.5h10",
  end: "M4 3.5l4 4 4-4M4 8.5l4 4 4-4",
  chevron: "M6 4l4 4-4 4",
  replay: "M3 8a5 5 0 1 0 1.5-3.6M3 2.5v3h3",
  stop: "M4.5 4.5h7v7h-7z",
  edit: "M3 13l.5-2.5L11 3l2 2-7.5 7.5z",
  play: "M5 3.5l7 4.5-7 4.5z",
  close: "M4 4l8 8M12 4l-8 8",
};

/** @param {string} name */
export const icon = (name) =>
  h(
    "svg.icon",
    { viewBox: "0 0 16 16", "aria-hidden": "true" },
    h("path", { d: SHAPES[name] ?? "" }),
  );

/** A run's state: shape, colour and word. @param {string} state */
export const badge = (state) =>
  h("span", { class: `state s-${state}` }, icon(state), h("span.word", stateWord(state)));

/**
 * A moment, told by how long ago it was, its own clock's time when one points at it.
 * @param {number | null | undefined} at
 * @param {number} now
 */
export const since = (at, now) =>
  at
    ? h("time", { datetime: new Date(at * 1000).toISOString(), title: moment(at) }, ago(at, now))
    : null;

/**
 * How long a run took, or takes so far.
 * @param {{started_at: number | null, ended_at: number | null}} run
 * @param {number} now
 */
export function took(run, now) {
  if (!run.started_at) return "";
  return duration((run.ended_at ?? now) - run.started_at);
}

/**
 * The last runs of a job, the newest at the right.
 * @param {{id: string, state: string, seconds: number | null}[]} recent the newest first
 */
export function spark(recent, most = 30) {
  const shown = bars(recent.slice(0, most).reverse());
  const label = recent.length
    ? `The last ${shown.length} runs: ${shown.filter((bar) => bar.state === "SUCCEEDED").length} went well`
    : "No runs";
  return h(
    "svg.spark",
    {
      viewBox: `0 0 ${most * 5} 24`,
      role: "img",
      "aria-label": label,
      preserveAspectRatio: "xMaxYMid meet",
    },
    shown.map((bar, index) =>
      h("rect", {
        class: `s-${bar.state}`,
        x: (most - shown.length + index) * 5,
        y: 24 - Math.round(bar.height * 23),
        width: 4,
        height: Math.round(bar.height * 23),
        rx: 1,
      }),
    ),
    shown.length ? null : h("rect.none", { x: 0, y: 22, width: most * 5, height: 1 }),
  );
}

/** The page that one is below. @param {string} href @param {string} name */
export const crumbs = (href, name) =>
  h(
    "nav.crumbs",
    { "aria-label": "Path" },
    h("a", { href }, name),
    h("span", { "aria-hidden": "true" }, "/"),
  );

/** @param {string} title @param {...Nested} children */
export const empty = (title, ...children) => h("div.notice", h("h2", title), children);

/**
 * Something could not be had.
 * @param {{message: string, offline?: boolean} | Error} error
 * @param {() => void} again
 */
export const failed = (error, again) =>
  h(
    "div.notice.bad",
    { role: "alert" },
    h(
      "h2",
      "offline" in error && error.offline ? "devbridge does not answer" : "That did not work",
    ),
    h(
      "p",
      "offline" in error && error.offline
        ? "It is tried again until it does. Is `devbridge dev` running?"
        : error.message,
    ),
    h("button.button", { onclick: again }, "Try again"),
  );

/** The place of rows that are on their way: as high as they will be. @param {number} rows */
export const loading = (rows) =>
  h(
    "div.loading",
    { key: "loading", role: "status", "aria-label": "Loading" },
    Array.from({ length: rows }, () => h("div.ghost")),
  );

/**
 * A field to search with, which `/` leads to.
 * @param {string} label
 * @param {string} placeholder
 * @param {string | undefined} text what is in it; undefined: what was written
 * @param {(text: string) => void} act
 * @param {Record<string, any>} more
 */
export const search = (label, placeholder, text, act, more = {}) =>
  h(
    "label.search",
    icon("search"),
    h("input", {
      type: "search",
      placeholder,
      "aria-label": label,
      spellcheck: "false",
      ...(text !== undefined && { ".value": text }),
      oninput: value(act),
      ...more,
    }),
    h("kbd", { "aria-hidden": "true" }, "/"),
  );

/** @param {string} title @param {Nested} actions @param {...Nested} children */
export const panel = (title, actions, ...children) =>
  h("section.panel", { "aria-label": title }, h("header", h("h2", title), actions), children);

/**
 * @param {string} label
 * @param {string} shape
 * @param {() => void} act
 * @param {{key?: string, kind?: string, disabled?: boolean, pressed?: boolean, bare?: boolean, title?: string}} more
 */
export const button = (label, shape, act, more = {}) =>
  h(
    "button",
    {
      type: "button",
      class: `button ${more.kind ?? ""} ${more.bare ? "bare" : ""}`,
      onclick: act,
      disabled: more.disabled,
      "aria-pressed": more.pressed === undefined ? undefined : String(more.pressed),
      "aria-label": more.bare ? label : undefined,
      title: more.title ?? (more.bare ? label : undefined),
    },
    shape && icon(shape),
    more.bare ? null : label,
    more.key ? h("kbd", { "aria-hidden": "true" }, more.key) : null,
  );

/** @param {string | null | undefined} text @param {number} longest */
export const line = (text, longest = 300) => cut((text ?? "").split("\n")[0] ?? "", longest);

/** Puts a text on the clipboard. @param {string} text */
export const copy = (text) => navigator.clipboard.writeText(text);
