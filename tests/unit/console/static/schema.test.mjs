import assert from "node:assert/strict";
import test from "node:test";
import { contextAt } from "../../../../devbridge/console/static/logic/context.mjs";
import { parse } from "../../../../devbridge/console/static/logic/json.mjs";
import {
  aboutPlace,
  blank,
  problems,
  proposals,
  told,
  typeName,
} from "../../../../devbridge/console/static/logic/schema.mjs";

const SCHEMA = {
  type: "object",
  properties: {
    num: { type: "integer", minimum: 0, description: "Whose factorial." },
    mode: { enum: ["fast", "exact"], default: "exact" },
    notify: { anyOf: [{ $ref: "#/$defs/Notify" }, { type: "null" }] },
    tags: { type: "array", items: { type: "string", maxLength: 3 }, maxItems: 2 },
  },
  required: ["num"],
  additionalProperties: false,
  $defs: {
    Notify: {
      type: "object",
      properties: { email: { type: "string" }, on: { type: "boolean" } },
      required: ["email"],
    },
  },
};
/** The caret is where the bar stands. */
const split = (text) => [text.replace("|", ""), text.indexOf("|")];
const offered = (marked, schema = SCHEMA) =>
  proposals(schema, contextAt(...split(marked))).map((each) => each.label);
const inserted = (marked) =>
  proposals(SCHEMA, contextAt(...split(marked))).map((each) => each.insert);
const wrong = (text, schema = SCHEMA) =>
  problems(parse(text).value, schema, schema).map((each) => told(text, each));

test("names are proposed that are not there yet, those that fit first", () => {
  assert.deepEqual(offered("{|}"), ["num", "mode", "notify", "tags"]);
  assert.deepEqual(offered('{"num": 1, "|"}'), ["mode", "notify", "tags"]);
  assert.deepEqual(offered('{"n|'), ["num", "notify"]);
  assert.deepEqual(offered('{"num": 1, "notify": {"|"}}'), ["email", "on"]);
  assert.deepEqual(offered('{"num": 1, "notify": {"email": "a", |'), ["on"]);
});

test("a name comes with the start of its value, unless one is there", () => {
  assert.deepEqual(inserted('{"nu|'), ['"num": 0']);
  assert.deepEqual(inserted('{"no|'), ['"notify": {"email": ""}']);
  assert.deepEqual(inserted('{"nu|": 5}'), ['"num"']);
});

test("values are proposed by what the schema allows", () => {
  assert.deepEqual(offered('{"mode": |'), ['"fast"', '"exact"']);
  assert.deepEqual(offered('{"mode": "f|"}'), ['"fast"']);
  assert.deepEqual(offered('{"notify": {"on": |}}'), ["true", "false"]);
  assert.deepEqual(offered("5|"), []);
  assert.deepEqual(offered("|", null), []);
});

test("a text that is not whole yet has a context all the same", () => {
  const context = contextAt(...split('{"tags": ["a", "b|'));
  assert.deepEqual([context.path, context.role, context.typed], [["tags", 1], "value", '"b']);
});

test("what is not as the schema asks is told with its place", () => {
  assert.deepEqual(wrong('{"num": 5}'), []);
  assert.deepEqual(wrong('{"num": 5.0}'), []);
  assert.deepEqual(wrong('{\n  "num": "5"\n}'), [
    "Line 2, column 10: Expected integer, not a string",
  ]);
  assert.deepEqual(wrong('{"num": -1}'), ["Line 1, column 9: At least 0"]);
  assert.deepEqual(wrong("{}"), ['Line 1, column 1: "num" is missing']);
  assert.deepEqual(wrong('{"num": 1, "nmu": 2}'), ['Line 1, column 12: There is no "nmu" here']);
  assert.deepEqual(wrong('{"num": 1, "mode": "slow"}'), [
    'Line 1, column 20: Expected "fast" | "exact"',
  ]);
  assert.deepEqual(wrong('{"num": 1, "tags": ["abcd", 1]}'), [
    "Line 1, column 21: At most 3 characters",
    "Line 1, column 29: Expected string, not a number",
  ]);
  assert.deepEqual(wrong("[]"), ["Line 1, column 1: Expected object, not an array"]);
});

test("of several schemas the one of the value's type says what is wrong", () => {
  assert.deepEqual(wrong('{"num": 1, "notify": null}'), []);
  assert.deepEqual(wrong('{"num": 1, "notify": {"email": 1}}'), [
    "Line 1, column 32: Expected string, not a number",
  ]);
  assert.deepEqual(wrong('{"num": 1, "notify": 3}'), [
    "Line 1, column 22: Expected object | null, not a number",
  ]);
});

test("a schema that leads to itself ends", () => {
  const list = { type: "object", properties: { next: { $ref: "#" } }, required: ["next"] };
  assert.equal(typeof blank(list, list), "string");
  assert.deepEqual(wrong('{"next": {"next": 1}}', list), [
    "Line 1, column 19: Expected object, not a number",
  ]);
  const loop = { $ref: "#" };
  assert.deepEqual(wrong("1", loop), []);
});

test("the place of the caret is explained", () => {
  assert.deepEqual(aboutPlace(SCHEMA, '{"num": 5}', 3), {
    path: "num",
    type: "integer",
    about: "Whose factorial.",
  });
  assert.deepEqual(aboutPlace(SCHEMA, '{"num": 5}', 8), {
    path: "num",
    type: "integer",
    about: "Whose factorial.",
  });
  assert.equal(aboutPlace(SCHEMA, '{"other": 5}', 10), null);
});

test("types have short names", () => {
  assert.equal(typeName(SCHEMA.properties.tags, SCHEMA), "array of string");
  assert.equal(typeName(SCHEMA.properties.mode, SCHEMA), '"fast" | "exact"');
  assert.equal(typeName({}, SCHEMA), "any");
});
