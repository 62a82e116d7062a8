/** What has changed from one JSON value to another. */

import { compact } from "./json.mjs";

/**
 * @typedef {import("./json.mjs").Node} Node
 * @typedef {{path: string, kind: "added" | "removed" | "changed", before: Node | null, after: Node | null}} Change
 */

/** Lists longer than this are compared position by position. */
const ALIGNED = 400;

/**
 * The places that differ, in the order of the new value; null stands for nothing at all.
 * @param {Node | null} before
 * @param {Node | null} after
 * @param {string} path
 * @returns {Change[]}
 */
export function changes(before, after, path = "") {
  if (!before && !after) return [];
  if (!before) return [{ path, kind: "added", before: null, after }];
  if (!after) return [{ path, kind: "removed", before, after: null }];
  if (before.kind === "object" && after.kind === "object") return inObject(before, after, path);
  if (before.kind === "array" && after.kind === "array") return inArray(before, after, path);
  return compact(before) === compact(after) ? [] : [{ path, kind: "changed", before, after }];
}

/**
 * @param {import("./json.mjs").ObjectNode} before
 * @param {import("./json.mjs").ObjectNode} after
 * @param {string} path
 */
function inObject(before, after, path) {
  const old = new Map(before.entries.map(({ key, value }) => [key.value, value]));
  const names = new Set(after.entries.map(({ key }) => key.value));
  const found = after.entries.flatMap(({ key, value }) =>
    changes(old.get(key.value) ?? null, value, path + step(key.value)),
  );
  for (const [name, value] of old) {
    if (!names.has(name))
      found.push({ path: path + step(name), kind: "removed", before: value, after: null });
  }
  return found;
}

/** @param {string} name */
const step = (name) => (/^[\w$-]+$/.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`);

/**
 * What stands in both lists in the same order is no change; the rest is paired by its place.
 * @param {import("./json.mjs").ArrayNode} before
 * @param {import("./json.mjs").ArrayNode} after
 * @param {string} path
 * @returns {Change[]}
 */
function inArray(before, after, path) {
  const [old, now] = [before.items.map(compact), after.items.map(compact)];
  /** @type {Change[]} */ const found = [];
  let [one, other] = [0, 0];
  const pairs = common(old, now);
  pairs.push([old.length, now.length]);
  for (const [left, right] of pairs) {
    for (; one < left || other < right; one += 1, other += 1) {
      const [from, to] = [
        one < left ? before.items[one] : null,
        other < right ? after.items[other] : null,
      ];
      found.push(...changes(from ?? null, to ?? null, `${path}[${to ? other : one}]`));
      if (!from) one -= 1;
      if (!to) other -= 1;
    }
    [one, other] = [left + 1, right + 1];
  }
  return found;
}

/**
 * The pairs of places of a longest common subsequence.
 * @param {string[]} old
 * @param {string[]} now
 * @returns {[number, number][]}
 */
function common(old, now) {
  if (old.length > ALIGNED || now.length > ALIGNED) {
    /** @type {(text: string, index: number) => [number, number][]} */
    const paired = (text, index) => (text === now[index] ? [[index, index]] : []);
    return old.flatMap(paired);
  }
  const width = now.length + 1;
  const best = new Uint16Array((old.length + 1) * width);
  for (let i = old.length - 1; i >= 0; i -= 1) {
    for (let j = now.length - 1; j >= 0; j -= 1) {
      best[i * width + j] =
        old[i] === now[j]
          ? 1 + (best[(i + 1) * width + j + 1] ?? 0)
          : Math.max(best[(i + 1) * width + j] ?? 0, best[i * width + j + 1] ?? 0);
    }
  }
  /** @type {[number, number][]} */ const pairs = [];
  for (let [i, j] = [0, 0]; i < old.length && j < now.length;) {
    if (old[i] === now[j]) pairs.push([i++, j++]);
    else if ((best[(i + 1) * width + j] ?? 0) >= (best[i * width + j + 1] ?? 0)) i += 1;
    else j += 1;
  }
  return pairs;
}
