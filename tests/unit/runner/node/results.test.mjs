import assert from "node:assert/strict";
import { test } from "node:test";
import { ResultNotJson } from "../../../../runner/node/failure.mjs";
import { encode } from "../../../../runner/node/results.mjs";

const ok = [
  [undefined, "null"], [null, "null"], [0, "0"], [false, "false"], ["", '""'], ["€\u2028", '"€\u2028"'],
  ["\ud800", '"\\ud800"'], [{ a: undefined }, "{}"], [[undefined], "[null]"], [new Date(0), '"1970-01-01T00:00:00.000Z"'],
  [Buffer.from("a"), '{"type":"Buffer","data":[97]}'], [{ toJSON: () => 1 }, "1"], [-0, "0"], [1e21, "1e+21"],
  [{ __proto__: null, a: 1 }, '{"a":1}'], [Object("s"), '"s"'],
];

test("what JSON has is written as JSON.stringify does", () => {
  for (const [value, text] of ok) assert.equal(encode(value).toString(), text);
});

test("the same thing twice is no circle", () => {
  const one = { a: 1 };
  assert.equal(encode([one, one, { one }]).toString(), '[{"a":1},{"a":1},{"one":{"a":1}}]');
});

const ring = [];
ring.push({ ring });
const bad = [
  [() => 1, "result is a function"], [{ a: { b: [1, () => 1] } }, "result.a.b[1] is a function"],
  [Symbol("s"), "result is a symbol"], [1n, "result is a bigint"], [[Object(1n)], "result[0] is a bigint"],
  [NaN, "result is NaN"], [{ "a-b": [Infinity] }, 'result["a-b"][0] is Infinity'], [ring, "result[0].ring contains itself"],
  [{ m: new Map() }, "result.m is a Map"], [[new Set()], "result[0] is a Set"], [[Promise.resolve()], "result[0] is a Promise"],
  [{ a: [1, { b: 2 }], c: { toJSON: () => ({ d: NaN }) } }, "result.c.d is NaN"],
];

test("what JSON does not have is named with its path", () => {
  for (const [value, message] of bad) {
    assert.throws(() => encode(value), (error) => error instanceof ResultNotJson && error.message.startsWith(message));
  }
});

test("an error of the result's own code is that error", () => {
  const value = { toJSON() { throw new TypeError("mine"); } };
  assert.throws(() => encode(value), (error) => error instanceof TypeError && error.message === "mine");
});
