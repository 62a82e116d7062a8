/**
 * What a JSON Schema says of a text that is being written: what may stand here, what it means, and
 * where the text is not what the schema asks for. The server checks once more, and has the last word.
 */

import { contextAt, unquoted } from "./context.mjs";
import { place, plain } from "./json.mjs";

/**
 * @typedef {import("./json.mjs").Node} Node
 * @typedef {import("./json.mjs").Problem} Problem
 * @typedef {{[name: string]: any}} Schema
 * @typedef {import("./context.mjs").Path} Path
 * @typedef {import("./context.mjs").Context} Context
 * @typedef {{label: string, insert: string, detail: string, about: string}} Proposal
 */

/**
 * A schema without its reference, and what may stand in for it.
 * @param {Schema | boolean | undefined} schema
 * @param {Schema} root
 * @returns {Schema[]}
 */
export function variants(schema, root, depth = 0) {
  if (schema === undefined || schema === true || schema === false || depth > 16) return [];
  if (typeof schema.$ref === "string") {
    const { $ref, ...own } = schema;
    return variants(resolved($ref, root), root, depth + 1).map((found) => ({ ...found, ...own }));
  }
  const several = schema.anyOf ?? schema.oneOf;
  if (Array.isArray(several)) {
    const { anyOf: _1, oneOf: _2, ...own } = schema;
    const found = several.flatMap((each) => variants(each, root, depth + 1));
    return found.map((each) => ({ ...own, ...each }));
  }
  if (Array.isArray(schema.allOf)) {
    const { allOf, ...own } = schema;
    const all = allOf.flatMap((each) => variants(each, root, depth + 1));
    return [all.reduce((sum, each) => merged(sum, each), own)];
  }
  return [schema];
}

/** @param {Schema} one @param {Schema} other @returns {Schema} */
function merged(one, other) {
  const properties = { ...other.properties, ...one.properties };
  const required = [...(one.required ?? []), ...(other.required ?? [])];
  return { ...other, ...one, properties, required };
}

/** @param {string} reference @param {Schema} root @returns {Schema | undefined} */
function resolved(reference, root) {
  if (!reference.startsWith("#")) return undefined;
  /** @type {any} */ let found = root;
  for (const step of reference.slice(1).split("/").filter(Boolean)) {
    found = found?.[decodeURIComponent(step).replaceAll("~1", "/").replaceAll("~0", "~")];
  }
  return found;
}

/**
 * The schemas of what is at a path.
 * @param {Schema | null | undefined} root
 * @param {Path} path
 * @returns {Schema[]}
 */
export function schemasAt(root, path) {
  if (!root) return [];
  let found = variants(root, root);
  for (const step of path) {
    found = found.flatMap((schema) => variants(below(schema, step), root));
  }
  return found;
}

/** @param {Schema} schema @param {string | number} step */
function below(schema, step) {
  if (typeof step === "number") return schema.prefixItems?.[step] ?? schema.items;
  const own = schema.properties;
  if (own && Object.hasOwn(own, step)) return own[step];
  return typeof schema.additionalProperties === "object" ? schema.additionalProperties : undefined;
}

/**
 * A schema's type in a word or two: `integer`, `array of string`, `"a" | "b"`.
 * @param {Schema} schema
 * @param {Schema} root
 * @returns {string}
 */
export function typeName(schema, root) {
  const all = variants(schema, root).map((each) => {
    if ("const" in each) return JSON.stringify(each.const);
    if (Array.isArray(each.enum))
      return each.enum.map((value) => JSON.stringify(value)).join(" | ");
    if (each.type === "array" && each.items) return `array of ${typeName(each.items, root)}`;
    if (Array.isArray(each.type)) return each.type.join(" | ");
    return each.type ?? each.title ?? "any";
  });
  return [...new Set(all)].join(" | ") || "any";
}

/**
 * What may be written at the caret, what fits what is typed first.
 * @param {Schema | null | undefined} root
 * @param {Context} context
 * @returns {Proposal[]}
 */
export function proposals(root, context) {
  if (!root) return [];
  const schemas = schemasAt(root, context.path);
  const found = context.role === "key" ? names(root, schemas, context) : values(root, schemas);
  const typed = context.typed.replaceAll('"', "").toLowerCase();
  const seen = new Set();
  return found.filter(({ label }) => {
    if (seen.has(label) || !label.replaceAll('"', "").toLowerCase().includes(typed)) return false;
    return seen.add(label);
  });
}

/** @param {Schema} root @param {Schema[]} schemas @param {Context} context @returns {Proposal[]} */
function names(root, schemas, context) {
  const own = unquoted(context.typed);
  return schemas.flatMap((schema) =>
    Object.entries(schema.properties ?? {})
      .filter(([name]) => name === own || !context.keys.includes(name))
      .map(([name, value]) => ({
        label: name,
        insert: JSON.stringify(name) + (context.colon ? "" : `: ${blank(value, root)}`),
        detail: typeName(value, root) + (schema.required?.includes(name) ? "" : ", optional"),
        about: value.description ?? "",
      })),
  );
}

/** @param {Schema} root @param {Schema[]} schemas @returns {Proposal[]} */
function values(root, schemas) {
  return schemas.flatMap((schema) => {
    const about = schema.description ?? "";
    const given = [
      ...("const" in schema ? [schema.const] : []),
      ...(schema.enum ?? []),
      ...(schema.type === "boolean" ? [true, false] : []),
      ...(schema.type === "null" ? [null] : []),
      ...("default" in schema ? [schema.default] : []),
      ...(schema.examples ?? []),
    ].map((value) => JSON.stringify(value));
    if (!given.length && ["object", "array", "string"].includes(schema.type)) {
      given.push(blank(schema, root));
    }
    const detail = typeName(schema, root);
    return given.map((text) => ({ label: text, insert: text, detail, about }));
  });
}

/**
 * The start of a value of this schema: with all that an object must have.
 * @param {Schema} schema
 * @param {Schema} root
 * @returns {string}
 */
export function blank(schema, root, depth = 0) {
  const [first] = variants(schema, root);
  if (!first) return "";
  if ("default" in first) return JSON.stringify(first.default);
  if ("const" in first) return JSON.stringify(first.const);
  if (first.enum?.length) return JSON.stringify(first.enum[0]);
  if (first.examples?.length) return JSON.stringify(first.examples[0]);
  if (first.type === "string") return '""';
  if (first.type === "array") return "[]";
  if (first.type === "boolean") return "false";
  if (first.type === "integer" || first.type === "number") return String(first.minimum ?? 0);
  if (first.type === "null") return "null";
  if (first.type !== "object" || depth > 4) return first.type === "object" ? "{}" : "null";
  const inner = (first.required ?? []).map(
    (/** @type {string} */ name) =>
      `${JSON.stringify(name)}: ${blank(first.properties?.[name] ?? {}, root, depth + 1) || "null"}`,
  );
  return `{${inner.join(", ")}}`;
}

/**
 * Where a value is not what the schema asks for.
 * @param {Node} node
 * @param {Schema | boolean | null | undefined} schema
 * @param {Schema} root
 * @returns {Problem[]}
 */
export function problems(node, schema, root, depth = 0) {
  if (!schema || schema === true || depth > 64) return [];
  const all = variants(schema, root);
  if (!all.length) return [];
  const tried = all.map((each) => ofOne(node, each, root, depth));
  if (tried.some((each) => each.length === 0)) return [];
  if (all.length === 1) return tried[0] ?? [];
  const right = tried.findIndex((_, index) => all[index] && ofType(node, all[index].type));
  const { from, to } = node;
  if (right >= 0) return tried[right] ?? [];
  return [{ from, to, message: `Expected ${typeName(schema, root)}, not ${nameOf(node)}` }];
}

/** @param {Node} node @param {Schema} schema @param {Schema} root @param {number} depth @returns {Problem[]} */
function ofOne(node, schema, root, depth) {
  const { from, to } = node;
  const one = (/** @type {string} */ message) => [{ from, to, message }];
  if (!ofType(node, schema.type))
    return one(`Expected ${typeName(schema, root)}, not ${nameOf(node)}`);
  if (schema.enum && !schema.enum.some((/** @type {unknown} */ each) => same(each, plain(node)))) {
    return one(`Expected ${typeName(schema, root)}`);
  }
  if ("const" in schema && !same(schema.const, plain(node))) {
    return one(`Expected ${JSON.stringify(schema.const)}`);
  }
  const said = limits(node, schema);
  if (said) return one(said);
  if (node.kind === "array") {
    return node.items.flatMap((item, index) =>
      problems(item, schema.prefixItems?.[index] ?? schema.items, root, depth + 1),
    );
  }
  return node.kind === "object" ? ofObject(node, schema, root, depth) : [];
}

/** @param {Node} node @param {Schema} schema @returns {string | null} */
function limits(node, schema) {
  if (node.kind === "number") {
    const value = Number(node.raw);
    if (schema.minimum !== undefined && value < schema.minimum) return `At least ${schema.minimum}`;
    if (schema.maximum !== undefined && value > schema.maximum) return `At most ${schema.maximum}`;
    const { exclusiveMinimum: above, exclusiveMaximum: under } = schema;
    if (above !== undefined && value <= above) return `More than ${above}`;
    if (under !== undefined && value >= under) return `Less than ${under}`;
  }
  const [size, what, unit] =
    node.kind === "string"
      ? [[...node.value].length, "Length", "characters"]
      : node.kind === "array"
        ? [node.items.length, "Items", "items"]
        : [0, "", ""];
  if (what && size < schema[`min${what}`]) return `At least ${schema[`min${what}`]} ${unit}`;
  if (what && size > schema[`max${what}`]) return `At most ${schema[`max${what}`]} ${unit}`;
  return null;
}

/** @param {import("./json.mjs").ObjectNode} node @param {Schema} schema @param {Schema} root @param {number} depth @returns {Problem[]} */
function ofObject(node, schema, root, depth) {
  const names = new Set(node.entries.map(({ key }) => key.value));
  const missing = (schema.required ?? []).filter((/** @type {string} */ name) => !names.has(name));
  const found = missing.map((/** @type {string} */ name) => ({
    from: node.from,
    to: node.from + 1,
    message: `"${name}" is missing`,
  }));
  for (const { key, value } of node.entries) {
    const known = Object.hasOwn(schema.properties ?? {}, key.value);
    if (!known && schema.additionalProperties === false) {
      found.push({ from: key.from, to: key.to, message: `There is no "${key.value}" here` });
    }
    found.push(...problems(value, below(schema, key.value), root, depth + 1));
  }
  return found;
}

/** @param {Node} node @param {string | string[] | undefined} type @returns {boolean} */
function ofType(node, type) {
  if (type === undefined) return true;
  if (Array.isArray(type)) return type.some((each) => ofType(node, each));
  if (type === "integer") return node.kind === "number" && Number.isInteger(Number(node.raw));
  return node.kind === type;
}

/** @param {Node} node */
const nameOf = (node) =>
  node.kind === "null" ? "null" : `${/^[aeio]/.test(node.kind) ? "an" : "a"} ${node.kind}`;

/** @param {unknown} one @param {unknown} other */
const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

/**
 * What is known of the place at an offset: its path, its type, and what the schema says of it.
 * @param {Schema | null | undefined} root
 * @param {string} text
 * @param {number} offset
 * @returns {{path: string, type: string, about: string} | null}
 */
export function aboutPlace(root, text, offset) {
  if (!root) return null;
  const context = contextAt(text, offset);
  const name = context.role === "key" ? unquoted(text.slice(context.from, context.to)) : null;
  const path = name ? [...context.path, name] : context.path;
  const found = schemasAt(root, path);
  if (!found.length) return null;
  const type = [...new Set(found.map((each) => typeName(each, root)))].join(" | ");
  const about = found.map((each) => each.description ?? "").find(Boolean) ?? "";
  return { path: pathText(path), type, about };
}

/** @param {Path} path */
export const pathText = (path) =>
  path
    .map((step) => (typeof step === "number" ? `[${step}]` : `.${step}`))
    .join("")
    .replace(/^\./, "") || "payload";

/**
 * A problem with its place in words.
 * @param {string} text
 * @param {Problem} problem
 */
export function told(text, problem) {
  const { line, column } = place(text, problem.from);
  return `Line ${line}, column ${column}: ${problem.message}`;
}
