/** The filters of the runs, and the address that stands for them: what is seen can be sent to others. */

import { plural, stateWord } from "./words.mjs";

/**
 * @typedef {{job: string, state: string[], since: string, until: string, trigger: string, text: string,
 *   log: string}} Filters
 * @typedef {{id: string, job: string, state: string, trigger: string | null, created_at: number | null,
 *   starts_at?: number | null, started_at: number | null, ended_at: number | null, attempt: number,
 *   max_attempts: number, cancelled?: boolean, payload: string, error: string | null,
 *   paused?: string | null}} Row
 */

export const STATES = [
  "QUEUED",
  "STARTING",
  "RUNNING",
  "SUCCEEDED",
  "FAILED",
  "TIMED_OUT",
  "CRASHED",
  "CANCELLED",
];
export const LIVE = new Set(["SCHEDULED", "QUEUED", "STARTING", "RUNNING"]);
/** @type {Record<string, string[]>} */
const GROUPS = {
  live: ["QUEUED", "STARTING", "RUNNING"],
  failed: ["FAILED", "TIMED_OUT", "CRASHED"],
};
const UNITS = /** @type {Record<string, number>} */ ({ s: 1, m: 60, h: 3600, d: 86400, w: 604800 });

/** @returns {Filters} */
export const none = () => ({
  job: "",
  state: [],
  since: "",
  until: "",
  trigger: "",
  text: "",
  log: "",
});

/**
 * What an address asks for; what it has besides is not looked at.
 * @param {string} search
 * @returns {Filters}
 */
export function fromSearch(search) {
  const given = new URLSearchParams(search);
  const text = (/** @type {string} */ name) => given.get(name)?.trim() ?? "";
  const words = text("state")
    .split(",")
    .map((word) => word.trim());
  const asked = words.flatMap((word) => GROUPS[word.toLowerCase()] ?? [word.toUpperCase()]);
  return {
    job: text("job"),
    state: STATES.filter((state) => asked.includes(state)),
    since: isTime(text("since")) ? text("since") : "",
    until: isTime(text("until")) ? text("until") : "",
    trigger: text("trigger"),
    text: text("text"),
    log: text("log"),
  };
}

/**
 * The address of filters: only what is set, always in the same order.
 * @param {Filters} filters
 */
export function toSearch(filters) {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(filters)) {
    const text = Array.isArray(value) ? groupName(value) : value;
    if (text) given.set(name, text);
  }
  const text = given.toString().replaceAll("%2C", ",").replaceAll("%3A", ":");
  return text && `?${text}`;
}

/** @param {string[]} states */
function groupName(states) {
  const [found] = Object.entries(GROUPS).find(([, all]) => all.join() === states.join()) ?? [];
  return found ?? states.join(",");
}

/** @param {string} text whether it is `2h`, or a day or time of ISO 8601. */
export function isTime(text) {
  return (
    /^\d+[smhdw]$/.test(text) || (/^\d{4}-\d\d-\d\d/.test(text) && !Number.isNaN(Date.parse(text)))
  );
}

/**
 * Seconds since the epoch.
 * @param {string} text
 * @param {number} now
 */
export function timeOf(text, now) {
  if (!isTime(text)) return null;
  const back = /^(\d+)([smhdw])$/.exec(text);
  if (back) return now - Number(back[1]) * (UNITS[back[2] ?? "s"] ?? 1);
  // A day is the reader's own, not Greenwich's.
  return new Date(text.length === 10 ? `${text}T00:00` : text).getTime() / 1000;
}

/**
 * What the server is asked.
 * @param {Filters} filters
 * @param {number} now
 * @returns {Record<string, string>}
 */
export function asked(filters, now) {
  const since = timeOf(filters.since, now);
  const until = timeOf(filters.until, now);
  const all = {
    job: filters.job,
    state: filters.state.join(","),
    since: since === null ? "" : String(Math.floor(since)),
    until: until === null ? "" : String(Math.ceil(until)),
    trigger: filters.trigger,
    text: filters.text,
    log: filters.log,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value));
}

/**
 * Whether a run that was told of belongs to the list; null: only the server knows, it has the logs.
 * @param {Filters} filters
 * @param {Row} row
 * @param {number} now
 * @returns {boolean | null}
 */
export function matches(filters, row, now) {
  if (filters.job && row.job !== filters.job) return false;
  if (filters.state.length && !filters.state.includes(row.state)) return false;
  if (filters.trigger && row.trigger !== filters.trigger) return false;
  const at = row.created_at ?? row.started_at ?? now;
  const since = timeOf(filters.since, now);
  const until = timeOf(filters.until, now);
  if ((since !== null && at < since) || (until !== null && at > until)) return false;
  return filters.text || filters.log ? null : true;
}

/**
 * The filters in words, for what is asked before many runs are replayed or cancelled.
 * @param {Filters} filters
 * @param {number} count
 */
export function described(filters, count) {
  const words = [plural(count, "run")];
  if (filters.job) words.push(`of ${filters.job}`);
  if (filters.state.length) words.push(`that are ${filters.state.map(stateWord).join(" or ")}`);
  if (filters.trigger) words.push(`started by ${filters.trigger}`);
  if (filters.text) words.push(`with “${filters.text}”`);
  if (filters.log) words.push(`whose log has “${filters.log}”`);
  if (filters.since)
    words.push(`since ${filters.since}${/^\d+\w$/.test(filters.since) ? " ago" : ""}`);
  if (filters.until)
    words.push(`until ${filters.until}${/^\d+\w$/.test(filters.until) ? " ago" : ""}`);
  return words.join(" ");
}
