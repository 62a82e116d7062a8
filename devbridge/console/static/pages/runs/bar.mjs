/** What is asked of the list of runs. */

import { h, value } from "../../dom.mjs";
import { STATES, toSearch } from "../../logic/filters.mjs";
import { stateWord } from "../../logic/words.mjs";
import { icon, search } from "../../parts.mjs";

/** @typedef {import("../runs.mjs").RunsPage} RunsPage */

const TIMES = [
  ["", "any time"],
  ["15m", "15 minutes"],
  ["1h", "1 hour"],
  ["24h", "24 hours"],
  ["7d", "7 days"],
  ["30d", "30 days"],
];

/** @param {RunsPage} page */
export function filterBar(page) {
  const { filters } = page;
  /** @param {"job" | "since" | "trigger"} name */
  const change = (name) => value((text) => page.filter({ [name]: text }));
  const times = TIMES.some(([value]) => value === filters.since)
    ? TIMES
    : [...TIMES, [filters.since, `since ${filters.since}`]];
  return h(
    "div.filters",
    { role: "search" },
    search(
      "Search runs",
      page.inLogs ? "Search in logs" : "Search payload, error, id",
      filters.text || filters.log,
      (text) => page.search(text),
    ),
    h(
      "button",
      {
        type: "button",
        class: "toggle",
        "aria-pressed": String(page.inLogs),
        onclick: () => page.where(),
      },
      "in logs",
    ),
    select("Job", filters.job, [["", "all jobs"], ...named(page.jobs, filters.job)], change("job")),
    select("Time", filters.since, times, change("since")),
    select(
      "Trigger",
      filters.trigger,
      [["", "any trigger"], ...named(page.triggers, filters.trigger)],
      change("trigger"),
    ),
    h(
      "div.states",
      { role: "group", "aria-label": "States" },
      STATES.map((state) =>
        h(
          "button",
          {
            type: "button",
            class: `toggle s-${state}`,
            "aria-pressed": String(filters.state.includes(state)),
            onclick: () => page.toggle(state),
          },
          icon(state),
          stateWord(state),
        ),
      ),
    ),
    h(
      "button",
      {
        type: "button",
        class: "button small clear",
        disabled: !toSearch(filters),
        onclick: () => page.clear(),
      },
      "Clear",
    ),
  );
}

/**
 * @param {string} label
 * @param {string} value
 * @param {string[][]} options
 * @param {(event: Event) => void} onchange
 */
function select(label, value, options, onchange) {
  return h(
    "select",
    { "aria-label": label, class: value ? "set" : "", ".value": value, onchange },
    options.map(([each, text]) => h("option", { value: each }, text)),
  );
}

/** @param {string[]} names @param {string} chosen */
const named = (names, chosen) =>
  [...new Set([...names, ...(chosen ? [chosen] : [])])].map((name) => [name, name]);
