/**
 * Pages are functions from what is known to a tree of plain objects; `patch` makes the document like
 * it and leaves alone what is like it already, so that focus, selection and scrolling stay. Strings
 * become text nodes only, controls made visible: there is no other way into the document.
 */

import { visible } from "./logic/visible.mjs";

/**
 * @typedef {{tag: string, props: Record<string, any>, children: Child[], key: string | number | undefined}} VNode
 * @typedef {VNode | string | number | null | undefined | false} Child
 * @typedef {Child | Nested[]} Nested
 */

const SVG = new Set([
  "svg",
  "g",
  "path",
  "rect",
  "line",
  "circle",
  "text",
  "title",
  "defs",
  "pattern",
  "use",
]);
/** @type {WeakMap<globalThis.Node, VNode>} */
const made = new WeakMap();

/**
 * @param {string} name a tag and its classes: `p.none`
 * @param {...(Record<string, any> | Nested)} rest attributes, if there are some, and children. `onclick`
 *   and the like listen, `.value` is a property, `style` an object of properties, `key` tells siblings
 *   apart.
 * @returns {VNode}
 */
export function h(name, ...rest) {
  const [tag = "", ...classes] = name.split(".");
  const [first, ...others] = rest;
  const given = typeof first === "object" && first && !Array.isArray(first) && !("tag" in first);
  const { key, ...props } = given ? /** @type {Record<string, any>} */ (first) : {};
  if (classes.length) props.class = classes.concat(props.class ?? []).join(" ");
  return { tag, props, children: /** @type {Child[]} */ ((given ? others : rest).flat(8)), key };
}

/** A listener that takes the value of its field. @param {(value: string) => void} act */
export const value = (act) => (/** @type {Event} */ event) =>
  act(/** @type {HTMLInputElement | HTMLSelectElement} */ (event.target).value);

/**
 * @param {Element} parent
 * @param {...Nested} wanted
 */
export function patch(parent, ...wanted) {
  const list = /** @type {Child[]} */ (wanted.flat(8)).filter(isThere);
  /** @type {Map<string, Element>} */ const keyed = new Map();
  for (const node of parent.childNodes) {
    const known = made.get(node);
    if (known?.key !== undefined)
      keyed.set(`${known.tag} ${known.key}`, /** @type {Element} */ (node));
  }
  // Who goes, goes first: those that stay need not be moved, and keep the focus.
  const stay = new Set(list.map((each) => typeof each === "object" && `${each.tag} ${each.key}`));
  for (const [name, node] of keyed) if (!stay.has(name)) node.remove();
  /** @type {ChildNode | null} */ let next = parent.firstChild;
  for (const each of list) {
    const node =
      typeof each === "object" ? element(each, next, keyed) : textNode(String(each), next);
    if (node === next) next = next.nextSibling;
    else parent.insertBefore(node, next);
  }
  while (next) {
    const after = next.nextSibling;
    next.remove();
    next = after;
  }
}

/** @param {Child} child @returns {child is VNode | string | number} */
const isThere = (child) => child !== null && child !== undefined && child !== false && child !== "";

/** @param {string} text @param {ChildNode | null} next @returns {ChildNode} */
function textNode(text, next) {
  const shown = visible(text);
  if (!(next instanceof Text)) return document.createTextNode(shown);
  if (next.data !== shown) next.data = shown;
  return next;
}

/**
 * @param {VNode} wanted
 * @param {ChildNode | null} next
 * @param {Map<string, Element>} keyed
 * @returns {Element}
 */
function element(wanted, next, keyed) {
  const old = wanted.key === undefined ? next : keyed.get(`${wanted.tag} ${wanted.key}`);
  const before = old ? made.get(old) : undefined;
  const like = before && before.tag === wanted.tag && before.key === wanted.key;
  const node = like
    ? /** @type {Element} */ (old)
    : SVG.has(wanted.tag)
      ? document.createElementNS("http://www.w3.org/2000/svg", wanted.tag)
      : document.createElement(wanted.tag);
  made.set(node, wanted);
  const given = like ? before.props : {};
  for (const name of Object.keys(given))
    if (!(name in wanted.props)) set(node, name, undefined, given[name]);
  // Elements of our own fill themselves.
  if (!wanted.tag.includes("-")) patch(node, wanted.children);
  for (const [name, value] of Object.entries(wanted.props)) set(node, name, value, given[name]);
  return node;
}

/** @param {Element} node @param {string} name @param {any} value @param {any} before */
function set(node, name, value, before) {
  if (name.startsWith(".")) {
    const target = /** @type {any} */ (node);
    // What people write into fields is no news to us: there, the field itself is compared.
    const has = name === ".value" ? target.value : before;
    if (has !== value) target[name.slice(1)] = value;
  } else if (value === before) {
    return;
  } else if (name.startsWith("on")) {
    if (before) node.removeEventListener(name.slice(2), before);
    if (value) node.addEventListener(name.slice(2), value);
  } else if (name === "style") {
    // Set by script, property by property: the policy forbids the attribute.
    const { style } = /** @type {HTMLElement} */ (node);
    for (const each of Object.keys(before ?? {}))
      if (!(each in (value ?? {}))) style.removeProperty(each);
    for (const [each, text] of Object.entries(value ?? {})) style.setProperty(each, String(text));
  } else if (value === undefined || value === null || value === false) {
    node.removeAttribute(name);
  } else {
    node.setAttribute(name, value === true ? "" : visible(String(value)));
  }
}

/** The element that has the focus is one that is written in. @param {EventTarget | null} target */
export function isWriting(target) {
  return (
    target instanceof HTMLTextAreaElement ||
    target instanceof HTMLSelectElement ||
    (target instanceof HTMLInputElement && !["checkbox", "radio", "button"].includes(target.type))
  );
}
