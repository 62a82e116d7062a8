/** When a run is to start that is asked for now. As devbridge/later.py. */
import { TimeNotAllowed } from "./errors.js";

const LONGEST_DAYS = 366;
const DAY = 24 * 60 * 60 * 1000;

/**
 * When it is to start, as an invoker reads it; undefined: now, or it is over.
 * @param {unknown} at a Date
 * @param {unknown} delay seconds
 * @param {number} [now] ms
 * @returns {string | undefined}
 * @throws {TimeNotAllowed} it is no such time, or too far ahead
 */
export function moment(at, delay, now = Date.now()) {
  const start = asked(at, delay, now);
  if (start - now > LONGEST_DAYS * DAY) {
    throw refused("a run is asked for too far ahead", `at most ${LONGEST_DAYS} days`);
  }
  if (start <= now) return undefined;
  return new Date(Math.ceil(start / 1000) * 1000).toISOString().replace(".000Z", "Z");
}

/**
 * @param {unknown} at
 * @param {unknown} delay
 * @param {number} now
 */
function asked(at, delay, now) {
  if (at !== undefined && delay !== undefined) {
    throw refused("both at and delay are given", "give one of them");
  }
  if (at !== undefined) {
    const time = at instanceof Date ? at.getTime() : NaN;
    if (Number.isNaN(time)) throw refused(`at: ${at} is not allowed`, "a Date");
    return time;
  }
  if (delay === undefined) return now;
  if (typeof delay !== "number" || !(delay >= 0)) {
    throw refused(`delay: ${delay} is not allowed`, "a number of seconds, 0 or more");
  }
  return now + delay * 1000;
}

/**
 * @param {string} what
 * @param {string} remedy
 */
function refused(what, remedy) {
  return new TimeNotAllowed(what, { where: "run({ at, delay })", remedy });
}
