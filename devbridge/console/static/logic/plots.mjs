/** The numbers of the small plots: where what is drawn, never how it looks. */

/**
 * Round steps from 0 up to at least `most`.
 * @param {number} most
 * @param {number} about how many
 */
export function ticks(most, about = 4) {
  if (!(most > 0)) return [0, 1];
  const rough = most / about;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 2.5, 5, 10].find((each) => each * power >= rough * 0.999) ?? 10) * power;
  const found = [];
  for (let index = 0; index * step < most + step * 0.999; index += 1) {
    found.push(Number((index * step).toPrecision(12)));
  }
  return found;
}

/**
 * A line through points as an SVG path, at most two points to a pixel: least and largest of each.
 * @param {readonly (readonly [number, number])[]} points
 * @param {{from: number, to: number, most: number, width: number, height: number}} room
 */
export function path(points, room) {
  const thin = thinned(points, room.width);
  return thin
    .map((point, index) => `${index ? "L" : "M"}${x(point[0], room)} ${y(point[1], room)}`)
    .join("");
}

/** @param {readonly (readonly [number, number])[]} points @param {{from: number, to: number, most: number, width: number, height: number}} room */
export function area(points, room) {
  const line = path(points, room);
  const [first, last] = [points[0], points.at(-1)];
  if (!line || !first || !last) return "";
  return `${line}L${x(last[0], room)} ${room.height}L${x(first[0], room)} ${room.height}Z`;
}

/** @param {number} at @param {{from: number, to: number, width: number}} room */
export const x = (at, { from, to, width }) =>
  tidy(((at - from) / Math.max(1e-9, to - from)) * width);

/** @param {number} value @param {{most: number, height: number}} room */
export const y = (value, { most, height }) =>
  tidy(height - (value / Math.max(1e-9, most)) * height);

/** @param {number} number */
const tidy = (number) => Math.round(number * 100) / 100;

/**
 * @param {readonly (readonly [number, number])[]} points
 * @param {number} width
 * @returns {readonly (readonly [number, number])[]}
 */
export function thinned(points, width) {
  if (points.length <= width * 2) return points;
  const size = points.length / width;
  const found = [];
  for (let pixel = 0; pixel < width; pixel += 1) {
    const part = points.slice(Math.floor(pixel * size), Math.floor((pixel + 1) * size));
    const least = part.reduce((one, other) => (other[1] < one[1] ? other : one));
    const most = part.reduce((one, other) => (other[1] > one[1] ? other : one));
    found.push(...(least[0] <= most[0] ? [least, most] : [most, least]));
  }
  return found;
}

/**
 * The point that is nearest to a time.
 * @template {readonly [number, ...number[]]} Point
 * @param {readonly Point[]} points in the order of time
 * @param {number} at
 * @returns {Point | null}
 */
export function nearest(points, at) {
  let [low, high] = [0, points.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((points[middle]?.[0] ?? 0) < at) low = middle;
    else high = middle;
  }
  const [one, other] = [points[low], points[high]];
  if (!one || !other) return null;
  return Math.abs(one[0] - at) <= Math.abs(other[0] - at) ? one : other;
}

/**
 * The last runs as bars, the oldest first: heights from 0 to 1, by the square root, for a run that
 * took a hundred times as long must not flatten all others.
 * @param {readonly {state: string, seconds: number | null}[]} runs
 */
export function bars(runs) {
  const most = Math.max(...runs.map((run) => run.seconds ?? 0), 0.001);
  return runs.map((run) => ({
    state: outcome(run.state),
    height: Math.max(0.12, Math.sqrt(Math.max(0, run.seconds ?? 0) / most)),
  }));
}

/**
 * What a request's answer means for its function: a refusal is an answer, too.
 * @param {string} state of a run, or of a request: `202`, `failed`
 */
const outcome = (state) =>
  state === "failed" || /^5\d\d$/.test(state)
    ? "FAILED"
    : /^\d+$/.test(state)
      ? "SUCCEEDED"
      : state;

/**
 * What the last runs of a job say: how many went well of those that have ended, and how long one takes.
 * @param {readonly {state: string, seconds: number | null}[]} runs
 */
export function rates(runs) {
  const ended = runs.filter((run) =>
    ["SUCCEEDED", "FAILED", "TIMED_OUT", "CRASHED"].includes(outcome(run.state)),
  );
  const good = ended.filter((run) => outcome(run.state) === "SUCCEEDED");
  const times = (good.length ? good : ended).flatMap((run) => run.seconds ?? []).sort((a, b) => a - b);
  const middle = times[Math.floor((times.length - 1) / 2)];
  return {
    ended: ended.length,
    success: ended.length ? good.length / ended.length : null,
    median: middle ?? null,
  };
}
