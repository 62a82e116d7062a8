/** Numbers, times and amounts as people read them. All take seconds. */

/**
 * How long: `0.24 s`, `12.3 s`, `4 min 05 s`, `2 h 10 min`, `3 d 4 h`.
 * @param {number | null | undefined} seconds
 */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "";
  const all = Math.max(0, seconds);
  if (all < 0.9995) return `${Math.round(all * 1000)} ms`;
  if (all < 9.995) return `${all.toFixed(2)} s`;
  if (all < 59.95) return `${all.toFixed(1)} s`;
  const whole = Math.round(all);
  const [days, hours] = [Math.floor(whole / 86400), Math.floor(whole / 3600) % 24];
  const [minutes, rest] = [Math.floor(whole / 60) % 60, whole % 60];
  if (days) return `${days} d ${hours} h`;
  if (hours) return `${hours} h ${String(minutes).padStart(2, "0")} min`;
  return `${minutes} min ${String(rest).padStart(2, "0")} s`;
}

/** How long something may take, as it was said: `3 s`, `10 min`. @param {number} seconds */
export const period = (seconds) => duration(seconds).replace(/\.0+(?= )| 00 \w+$/, "");

/**
 * How long ago, in a word that does not change each second.
 * @param {number | null | undefined} at
 * @param {number} now
 */
export function ago(at, now) {
  if (at === null || at === undefined) return "";
  const seconds = now - at;
  if (seconds < -5) return `in ${rough(-seconds)}`;
  return seconds < 5 ? "just now" : `${rough(seconds)} ago`;
}

/** @param {number} seconds */
export function rough(seconds) {
  if (seconds < 60) return `${Math.floor(seconds / 5) * 5} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} d`;
}

/**
 * Day and time of the reader's own clock: `Nov 27, 14:03:09`.
 * @param {number | null | undefined} at
 * @param {string | undefined} zone
 */
export function moment(at, zone = undefined) {
  if (at === null || at === undefined) return "";
  return new Intl.DateTimeFormat("en-GB", {
    day: "numeric",
    month: "short",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    timeZone: zone,
  }).format(at * 1000);
}

/** @param {number | null | undefined} number */
export function bytes(number) {
  if (number === null || number === undefined) return "";
  const units = ["B", "kB", "MB", "GB", "TB"];
  let [value, unit] = [number, 0];
  while (value >= 1000 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${unit && value < 100 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** Thousands apart: `1,204`. @param {number} number */
export const count = (number) => number.toLocaleString("en-US");

/** @param {number} number @param {string} word */
export const plural = (number, word) => `${count(number)} ${word}${number === 1 ? "" : "s"}`;

/** A state as people say it: `timed out`. @param {string} state */
export const stateWord = (state) => state.toLowerCase().replaceAll("_", " ");

/** The characters of an id that are shown. @param {string} id */
export const short = (id) => id.slice(0, 8);
