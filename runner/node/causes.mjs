/**
 * Which errors belong to an error: its causes, the members of an AggregateError. The rules, the
 * order and the words are those of `runner/causes.py`.
 */

const MAX_CHAIN = 8;
const MAX_MEMBERS = 8;
/** Errors after which a chain is told by its two ends, and a group by its members' number. */
const MAX_ALL = 32;
/** How deep groups are looked into. */
const MAX_DEPTH = 4;

/** @typedef {{how: string, depth: number, error?: unknown, told: boolean}} Related */

/**
 * The error that is to be told first, and those that belong to it, in order.
 * @param {unknown} error
 * @returns {{first: unknown, others: Related[]}}
 */
export function related(error) {
  const walk = new Walk();
  const first = walk.around(error, "", 0);
  return { first, others: walk.found.slice(1) };
}

/**
 * The first and the last of some things, at most so many, and how many are left out in between.
 * @template T
 * @param {T[]} items
 * @param {number} most
 * @returns {{first: T[], leftOut: number, last: T[]}}
 */
export function ends(items, most) {
  if (items.length <= most) return { first: items, leftOut: 0, last: [] };
  const last = most >> 1;
  return {
    first: items.slice(0, most - last),
    leftOut: items.length - most,
    last: items.slice(items.length - last),
  };
}

/**
 * A property of something that may be anything, and whose getter may throw.
 * @param {any} thing
 * @param {string} name
 * @returns {any}
 */
export function property(thing, name) {
  try {
    return thing?.[name];
  } catch {
    return undefined;
  }
}

class Walk {
  constructor() {
    /** @type {Related[]} */ this.found = [];
    /** @type {Set<unknown>} */ this.seen = new Set();
  }

  /** @param {unknown} error @param {string} how @param {number} depth @returns {unknown} */
  around(error, how, depth) {
    let inner = error;
    const groups = [];
    let members = membersOf(inner);
    while (members.length === 1 && !this.seen.has(inner)) {
      groups.unshift(inner);
      this.seen.add(inner);
      inner = members[0];
      members = membersOf(inner);
    }
    this.seen.add(inner);
    this.found.push({ how, error: inner, depth, told: true });
    this.ofGroup(members, depth + 1);
    this.chain(inner, depth);
    const { first, leftOut, last } = ends(groups, MAX_CHAIN);
    for (const group of first) this.in(group, depth);
    this.leftOut(leftOut, depth);
    for (const group of last) this.in(group, depth);
    return inner;
  }

  /** @param {unknown} group @param {number} depth */
  in(group, depth) {
    this.found.push({ how: "in", error: group, depth, told: true });
    this.chain(group, depth);
  }

  /** @param {unknown[]} members @param {number} depth */
  ofGroup(members, depth) {
    let shown = 0;
    for (const member of members.slice(0, MAX_MEMBERS)) {
      if (depth > MAX_DEPTH || this.found.length >= MAX_ALL) break;
      shown += 1;
      this.around(member, `${shown} of ${members.length}:`, depth);
    }
    this.leftOut(members.length - shown, depth);
  }

  /** @param {unknown} error @param {number} depth */
  chain(error, depth) {
    const links = [];
    for (let link = causeOf(error); link && !this.seen.has(link.error); link = causeOf(link.error)) {
      if (typeof link.error === "object") this.seen.add(link.error);
      links.push(link);
    }
    const full = this.found.length >= MAX_ALL;
    const { first, leftOut, last } = ends(links, full ? 2 : MAX_CHAIN);
    for (const link of first) this.linked(link.error, depth);
    this.leftOut(leftOut, depth);
    for (const link of last) this.linked(link.error, depth);
  }

  /** @param {unknown} error @param {number} depth */
  linked(error, depth) {
    const members = membersOf(error);
    if (members.length === 1 && depth < MAX_DEPTH && this.found.length < MAX_ALL) {
      this.seen.delete(error);
      this.around(error, "caused by", depth);
      return;
    }
    this.found.push({ how: "caused by", error, depth, told: true });
    this.ofGroup(members, depth + 1);
  }

  /** @param {number} count @param {number} depth */
  leftOut(count, depth) {
    if (count) this.found.push({ how: `and ${count} more`, depth, told: false });
  }
}

/** @param {unknown} error @returns {unknown[]} */
function membersOf(error) {
  if (property(error, "name") === "SuppressedError") {
    return [property(error, "error"), property(error, "suppressed")];
  }
  const found = error instanceof Error ? property(error, "errors") : undefined;
  return error instanceof AggregateError && Array.isArray(found) ? found : [];
}

/** @param {unknown} error @returns {{error: unknown} | undefined} */
function causeOf(error) {
  const cause = property(error, "cause");
  return error instanceof Error && cause !== undefined ? { error: cause } : undefined;
}
