/** A JSON value as rows that fold: only what is open is drawn. */

import { written } from "./json.mjs";

/**
 * @typedef {import("./json.mjs").Node} Node
 * @typedef {{path: string, depth: number, name: string | null, node: Node, open: boolean | null,
 *   summary: string, close?: boolean}} TreeRow `open` is null where nothing folds
 */

/** Rows that are drawn at once before one asks for more. */
export const FEW = 500;

/**
 * Which places are open at first: so many levels that it stays within a screen.
 * @param {Node} node
 * @param {number} room rows
 * @returns {Set<string>}
 */
export function openedAtFirst(node, room = 40) {
  const open = new Set();
  let level = [{ path: "$", node }];
  let rows = 1;
  while (level.length) {
    const next = level.flatMap((each) => children(each.node, each.path));
    if (rows + next.length > room && open.size) break;
    for (const each of level) if (size(each.node)) open.add(each.path);
    rows += next.length;
    if (rows > room) break;
    level = next;
  }
  return open;
}

/** @param {Node} node */
const size = (node) =>
  node.kind === "object" ? node.entries.length : node.kind === "array" ? node.items.length : 0;

/** @param {Node} node @param {string} path @returns {{name: string, node: Node, path: string}[]} */
function children(node, path) {
  if (node.kind === "object") {
    // Two members may have one name: the place tells them apart.
    return node.entries.map(({ key, value }, index) => ({
      name: JSON.stringify(key.value),
      node: value,
      path: `${path}/${index}`,
    }));
  }
  if (node.kind !== "array") return [];
  return node.items.map((item, index) => ({
    name: String(index),
    node: item,
    path: `${path}/${index}`,
  }));
}

/**
 * The rows of what is open, at most so many.
 * @param {Node} node
 * @param {Set<string>} open
 * @param {number} most
 * @returns {{rows: TreeRow[], more: boolean}}
 */
export function rows(node, open, most = FEW) {
  /** @type {TreeRow[]} */ const found = [];
  /** @type {{path: string, depth: number, name: string | null, node: Node}[]} */
  const waiting = [{ path: "$", depth: 0, name: null, node }];
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    if (found.length === most) return { rows: found, more: true };
    const folds = size(next.node) > 0;
    const isOpen = folds && open.has(next.path);
    found.push({ ...next, open: folds ? isOpen : null, summary: summary(next.node) });
    if (!isOpen) continue;
    const { depth, path } = next;
    const below = children(next.node, path).map((each) => ({ ...each, depth: depth + 1 }));
    for (const each of below.slice(0, most + 1).reverse()) waiting.push(each);
  }
  return { rows: found, more: false };
}

/** @param {Node} node @returns {string} */
function summary(node) {
  if (node.kind === "object") return node.entries.length ? `{${node.entries.length}}` : "{}";
  if (node.kind === "array") return node.items.length ? `[${node.items.length}]` : "[]";
  return written(node);
}
