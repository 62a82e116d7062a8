/**
 * Payloads checked by the JSON Schemas that devbridge makes (draft 4, `devbridge types`), with the
 * paths and words of devbridge.payload.check.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { isMultiple } from "./decimal.js";
import { PayloadInvalid } from "./errors.js";
import { literal } from "./literal.js";
import { matcher } from "./pattern.js";

/** @typedef {any} Schema */
/** @typedef {{ at: string, rule: string, schema: Schema, value: any, text?: string }} Problem */

const FILE = "devbridge-schemas.json";
const VARIABLE = "DEVBRIDGE_SCHEMAS";
const LINE_END = "\\n?\\Z";
/** @type {Record<string, string>} */
const NAMES = {
  string: "str",
  integer: "int",
  number: "float",
  boolean: "bool",
  null: "null",
  array: "array",
  object: "object",
};
/** @type {Map<string, Map<string, [job: string, schema: Schema]>>} */
const files = new Map();

/**
 * Refuse a payload that the job's handler would refuse. Does nothing where no schema is known.
 * @param {string} job its name, with '-' or '_'
 * @param {unknown} value the payload as JSON has it
 * @throws {PayloadInvalid} it is not what the handler declares; the path inside it is named
 */
export function check(job, value) {
  const known = schemas().get(job.replaceAll("-", "_"));
  if (known) checkBy(known[0], known[1], value);
}

/**
 * @param {string} job
 * @param {Schema} schema
 * @param {unknown} value
 * @throws {PayloadInvalid} it is not what the handler declares; the path inside it is named
 */
export function checkBy(job, schema, value) {
  const found = problem(schema, value, "$", schema);
  if (!found) return;
  const [path, what] = told(found, schema);
  throw new PayloadInvalid(`the payload is not what job '${job}' takes: ${what}`, {
    where: path,
    remedy: "send what its handler declares ($ is the payload itself)",
  });
}

function schemas() {
  const path = process.env[VARIABLE] ?? join(process.env.LAMBDA_TASK_ROOT ?? "", FILE);
  let found = files.get(path);
  if (!found) {
    const read = Object.entries(content(path));
    found = new Map(read.map((named) => [named[0].replaceAll("-", "_"), named]));
    files.set(path, found);
  }
  return found;
}

/**
 * @param {string} path
 * @returns {Record<string, Schema>}
 */
function content(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === "ENOENT") return {};
    throw error;
  }
}

/**
 * The first problem of a value, in the order of fastjsonschema.
 * @param {Schema} schema
 * @param {any} value
 * @param {string} at
 * @param {Schema} root
 * @returns {Problem | undefined}
 */
function problem(schema, value, at, root) {
  if (typeof schema === "boolean") {
    return schema ? undefined : { at, rule: "not", schema: { not: {} }, value, text: "must not be there" };
  }
  if (schema.$ref !== undefined) return problem(resolved(schema, root), value, at, root);
  /** @type {(rule: string, text?: string) => Problem} */
  const wrong = (rule, text) => ({ at, rule, schema, value, ...(text ? { text } : {}) });
  if (schema.type !== undefined && !isOf(value, schema.type)) return wrong("type");
  if (schema.enum && !schema.enum.some((/** @type {any} */ each) => same(each, value))) return wrong("enum");
  for (const each of schema.allOf ?? []) {
    const found = problem(each, value, at, root);
    if (found) return found;
  }
  const fits = (/** @type {Schema} */ each) => !problem(each, value, at, root);
  if (schema.anyOf && !schema.anyOf.some(fits)) return wrong("anyOf");
  if (schema.not !== undefined && fits(schema.not)) {
    return wrong("not", "must NOT match a disallowed definition");
  }
  if (typeof value === "string") return ofText(schema, value, wrong);
  if (typeof value === "number") return ofNumber(schema, value, wrong);
  if (Array.isArray(value)) return ofArray(schema, value, at, root, wrong);
  if (typeof value === "object" && value !== null) return ofObject(schema, value, at, root, wrong);
  return undefined;
}

/**
 * @param {Schema} schema
 * @param {string} value
 * @param {(rule: string, text?: string) => Problem} wrong
 */
function ofText(schema, value, wrong) {
  const { minLength, maxLength, pattern } = schema;
  const length = minLength === undefined && maxLength === undefined ? 0 : [...value].length;
  if (length < minLength) {
    return wrong("minLength", `must be longer than or equal to ${minLength} characters`);
  }
  if (length > maxLength) {
    return wrong("maxLength", `must be shorter than or equal to ${maxLength} characters`);
  }
  if (pattern !== undefined && matcher(pattern)?.test(value) === false) return wrong("pattern");
  return undefined;
}

/**
 * @param {Schema} schema
 * @param {number} value
 * @param {(rule: string, text?: string) => Problem} wrong
 */
function ofNumber(schema, value, wrong) {
  const { minimum: least, maximum: most, multipleOf } = schema;
  if (schema.exclusiveMinimum ? value <= least : value < least) {
    return wrong("minimum", `must be bigger than ${schema.exclusiveMinimum ? "" : "or equal to "}${literal(least)}`);
  }
  if (schema.exclusiveMaximum ? value >= most : value > most) {
    return wrong("maximum", `must be smaller than ${schema.exclusiveMaximum ? "" : "or equal to "}${literal(most)}`);
  }
  if (multipleOf !== undefined && !isMultiple(value, multipleOf)) {
    return wrong("multipleOf", `must be multiple of ${literal(multipleOf)}`);
  }
  return undefined;
}

/**
 * @param {Schema} schema
 * @param {any[]} value
 * @param {string} at
 * @param {Schema} root
 * @param {(rule: string, text?: string) => Problem} wrong
 */
function ofArray(schema, value, at, root, wrong) {
  if (value.length < schema.minItems) {
    return wrong("minItems", `must contain at least ${schema.minItems} items`);
  }
  if (value.length > schema.maxItems) {
    return wrong("maxItems", `must contain less than or equal to ${schema.maxItems} items`);
  }
  if (schema.items === undefined) return undefined;
  for (const [index, item] of value.entries()) {
    const of = Array.isArray(schema.items) ? schema.items[index] : schema.items;
    const found = of === undefined ? undefined : problem(of, item, `${at}[${index}]`, root);
    if (found) return found;
  }
  return undefined;
}

/**
 * @param {Schema} schema
 * @param {Record<string, any>} value
 * @param {string} at
 * @param {Schema} root
 * @param {(rule: string, text?: string) => Problem} wrong
 */
function ofObject(schema, value, at, root, wrong) {
  const keys = Object.keys(value);
  if (keys.length < schema.minProperties) {
    return wrong("minProperties", `must contain at least ${schema.minProperties} properties`);
  }
  if (keys.length > schema.maxProperties) {
    return wrong("maxProperties", `must contain less than or equal to ${schema.maxProperties} properties`);
  }
  if (schema.required?.some((/** @type {string} */ key) => !Object.hasOwn(value, key))) {
    return wrong("required");
  }
  const known = schema.properties ?? {};
  for (const [key, of] of Object.entries(known)) {
    const found = Object.hasOwn(value, key) && problem(of, value[key], `${at}.${key}`, root);
    if (found) return found;
  }
  const others = schema.additionalProperties ?? true;
  if (others === true) return undefined;
  for (const key of keys.filter((key) => !Object.hasOwn(known, key))) {
    if (others === false) return wrong("additionalProperties");
    const found = problem(others, value[key], `${at}.${key}`, root);
    if (found) return found;
  }
  return undefined;
}

// --- what is told of it -----------------------------------------------------------------------

/**
 * The path of a problem, and what it is.
 * @param {Problem} found
 * @param {Schema} root
 * @returns {[path: string, what: string]}
 */
function told(found, root) {
  if (found.rule === "anyOf") {
    const members = found.schema.anyOf.map((/** @type {Schema} */ each) => resolved(each, root));
    const inner = meant(members, found.value, root);
    if (inner) {
      const deeper = problem(inner, found.value, found.at, root);
      if (deeper) return told(deeper, root);
    }
    const tag = tagOf(members, found.value, root);
    if (tag !== undefined) {
      return Object.hasOwn(found.value, tag)
        ? [`${found.at}.${tag}`, `Invalid value ${literal(found.value[tag])}`]
        : [found.at, `Object missing required field \`${tag}\``];
    }
  }
  return [found.at, explained(found, root)];
}

/**
 * The one member of a union that a value can be meant for.
 * @param {Schema[]} members
 * @param {any} value
 * @param {Schema} root
 */
function meant(members, value, root) {
  const fitting = members.filter((each) => types(each).includes(jsonType(value)) && tagsFit(each, value, root));
  return fitting.length === 1 ? fitting[0] : undefined;
}

/**
 * Whether an object has the texts that are the only ones which the schema allows.
 * @param {Schema} schema
 * @param {any} value
 * @param {Schema} root
 */
function tagsFit(schema, value, root) {
  if (jsonType(value) !== "object") return true;
  return Object.entries(schema.properties ?? {}).every(([key, member]) => {
    const allowed = resolved(member, root).enum ?? [];
    if (allowed.length !== 1) return true;
    if (!Object.hasOwn(value, key)) return !schema.required?.includes(key) || allowed[0] === null;
    return same(allowed[0], value[key]);
  });
}

/**
 * The key of an object whose text decides which member of a union it is meant for.
 * @param {Schema[]} members
 * @param {any} value
 * @param {Schema} root
 * @returns {string | undefined}
 */
function tagOf(members, value, root) {
  const objects = members.filter((each) => each.properties);
  if (jsonType(value) !== "object" || !objects.length) return undefined;
  return Object.keys(objects[0].properties).find((key) => {
    const there = Object.hasOwn(value, key);
    if (!there && !objects.every((each) => each.required?.includes(key))) return false;
    return objects.every((each) => {
      const texts = resolved(each.properties[key] ?? {}, root).enum ?? [];
      return texts.length === 1 && !same(texts[0], there ? value[key] : null);
    });
  });
}

/**
 * @param {Problem} found
 * @param {Schema} root
 */
function explained({ rule, schema, value, text }, root) {
  if (rule === "required") {
    const missing = schema.required.find((/** @type {string} */ key) => !Object.hasOwn(value, key));
    return `Object missing required field \`${missing}\``;
  }
  if (rule === "additionalProperties") {
    const extra = Object.keys(value).find((key) => !Object.hasOwn(schema.properties ?? {}, key));
    return `Object contains unknown field \`${extra}\``;
  }
  if (rule === "enum" && types(schema).includes(jsonType(value))) {
    return `Invalid value ${literal(value)}, expected one of ${literal(schema.enum)}`;
  }
  if (rule === "pattern") {
    const { pattern } = schema;
    const ended = pattern.endsWith(LINE_END);
    const shown = ended ? `${pattern.slice(0, -LINE_END.length)}$` : pattern;
    return `Expected \`str\` matching regex ${literal(shown)}`;
  }
  if (rule === "type" || rule === "enum" || rule === "anyOf") {
    const members = rule === "anyOf" ? schema.anyOf : [schema];
    const kinds = [...new Set(members.flatMap((/** @type {Schema} */ each) => expected(resolved(each, root))))];
    const got = NAMES[jsonType(value)] ?? "";
    return kinds.length && !kinds.includes(got)
      ? `Expected \`${kinds.join(" | ")}\`, got \`${got}\``
      : `Invalid value ${literal(value)}`;
  }
  return text ?? "Invalid value";
}

/** @param {Schema} schema */
function expected(schema) {
  if (schema.enum) return types(schema).map((kind) => NAMES[kind] ?? kind);
  const kinds = schema.type ?? [];
  return (Array.isArray(kinds) ? kinds : [kinds]).map((kind) => NAMES[kind] ?? kind);
}

// --- JSON's types -----------------------------------------------------------------------------

/**
 * @param {Schema} schema
 * @param {Schema} root
 * @returns {Schema}
 */
function resolved(schema, root) {
  let found = schema;
  while (found?.$ref !== undefined) {
    const key = found.$ref.replace("#/$defs/", "").replaceAll("~1", "/").replaceAll("~0", "~");
    found = root.$defs?.[key] ?? {};
  }
  return found;
}

/**
 * The JSON types that a schema allows; an integer is a number as well.
 * @param {Schema} schema
 * @returns {string[]}
 */
function types(schema) {
  if (schema.enum) return schema.enum.map(jsonType);
  const kinds = schema.type ?? Object.keys(NAMES);
  const several = Array.isArray(kinds) ? kinds : [kinds];
  return several.includes("number") ? [...several, "integer"] : several;
}

/**
 * @param {any} value
 * @param {string | string[]} kinds
 */
function isOf(value, kinds) {
  const own = jsonType(value);
  const several = Array.isArray(kinds) ? kinds : [kinds];
  return several.includes(own) || (own === "integer" && several.includes("number"));
}

/** @param {unknown} value */
function jsonType(value) {
  if (value === null || value === undefined) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value === "string" ? "string" : typeof value === "boolean" ? "boolean" : "object";
}

/**
 * @param {any} a
 * @param {any} b
 */
function same(a, b) {
  return a === b || (typeof a === "object" && a !== null && JSON.stringify(a) === JSON.stringify(b));
}
