/** The attempts of a run as bars over one axis of time. */

/**
 * @typedef {{at: number, state: string, attempt: number, detail?: string | null}} Step
 * @typedef {{attempt: number, started_at: number | null, ended_at: number | null, state: string}} Attempt
 * @typedef {"queued" | "starting" | "running" | "waiting"} Phase
 * @typedef {{phase: Phase, from: number, to: number, state: string}} Bar
 * @typedef {{at: number, what: string}} Mark
 * @typedef {{attempt: number, bars: Bar[], marks: Mark[], state: string, open: boolean}} Lane
 * @typedef {{from: number, to: number, lanes: Lane[]}} Waterfall
 */

const ENDS = new Set(["SUCCEEDED", "FAILED", "CANCELLED", "TIMED_OUT", "CRASHED", "INTERRUPTED"]);
/** @type {Record<string, Phase>} */
const PHASES = { SCHEDULED: "queued", QUEUED: "queued", STARTING: "starting", RUNNING: "running" };
/** What a history has beside states: the moments at which a run has yielded a checkpoint. */
const MARKS = new Set(["CHECKPOINT", "RESUMED", "PAUSED"]);

/**
 * @param {readonly Step[]} history in the order of time
 * @param {number} now how far what has not ended reaches
 * @param {readonly Attempt[]} attempts when each has begun, and how it has ended
 * @returns {Waterfall}
 */
export function waterfall(history, now, attempts = []) {
  const told = new Map(attempts.map((each) => [each.attempt, each]));
  /** @type {Map<number, Lane>} */ const lanes = new Map();
  const from = history[0]?.at ?? now;
  let to = from;
  /** @type {Bar | null} */ let bar = null;
  for (const step of history) {
    const lane = laneOf(lanes, step.attempt);
    to = Math.max(to, step.at);
    if (MARKS.has(step.state)) {
      lane.marks.push({ at: step.at, what: step.detail ?? step.state.toLowerCase() });
      continue;
    }
    if (bar) bar.to = step.at;
    lane.state = step.state;
    bar = null;
    if (ENDS.has(step.state)) {
      const last = lane.bars.at(-1);
      if (last) last.state = step.state;
      continue;
    }
    const phase = PHASES[step.state] ?? "running";
    // Between two attempts a run is queued again, or said to be running while it waits.
    const begun = told.size ? (told.get(step.attempt)?.started_at ?? Infinity) : 0;
    const waits =
      lanes.size > 1 && !lane.bars.length && (phase === "queued" || step.at < begun);
    bar = { phase: waits ? "waiting" : phase, from: step.at, to: step.at, state: step.state };
    lane.bars.push(bar);
  }
  if (bar) {
    bar.to = Math.max(now, bar.from);
    laneOf(lanes, history.at(-1)?.attempt ?? 1).open = true;
    to = Math.max(to, bar.to);
  }
  for (const lane of lanes.values()) {
    const end = told.get(lane.attempt);
    const last = lane.bars.at(-1);
    if (end?.ended_at && last) lane.state = last.state = end.state;
  }
  const all = [...lanes.values()].sort((one, other) => one.attempt - other.attempt);
  return { from, to: to > from ? to : from + 0.001, lanes: all };
}

/** @param {Map<number, Lane>} lanes @param {number} attempt @returns {Lane} */
function laneOf(lanes, attempt) {
  const number = attempt || 1;
  const lane = lanes.get(number) ?? {
    attempt: number,
    bars: [],
    marks: [],
    state: "",
    open: false,
  };
  lanes.set(number, lane);
  return lane;
}

/**
 * Seconds of each phase of a run.
 * @param {Waterfall} made
 * @returns {Record<Phase, number>}
 */
export function phases(made) {
  const sum = { queued: 0, starting: 0, running: 0, waiting: 0 };
  for (const lane of made.lanes) for (const bar of lane.bars) sum[bar.phase] += bar.to - bar.from;
  return sum;
}

/**
 * A place on the axis, from 0 to 100.
 * @param {Waterfall} made
 * @param {number} at
 */
export const percent = ({ from, to }, at) =>
  Math.round(Math.max(0, Math.min(1, (at - from) / (to - from))) * 10000) / 100;
