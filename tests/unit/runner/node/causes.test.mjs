import assert from "node:assert/strict";
import { test } from "node:test";
import { ends, related } from "../../../../runner/node/causes.mjs";

const told = (error) => {
  const { first, others } = related(error);
  const line = (each) => `${" ".repeat(each.depth)}${each.how}${each.told ? ` ${each.error?.message ?? each.error}` : ""}`;
  return [first?.message ?? first, ...others.map(line)];
};

test("an error alone has nothing that belongs to it", () => {
  assert.deepEqual(told(new Error("a")), ["a"]);
  assert.deepEqual(told("text"), ["text"]);
  assert.deepEqual(told(null), [null]);
  assert.deepEqual(told({ cause: "no error's" }).length, 1);
});

test("causes are told down to the root", () => {
  const error = new Error("a", { cause: new Error("b", { cause: "c" }) });
  assert.deepEqual(told(error), ["a", "caused by b", "caused by c"]);
});

test("a ring of causes has an end", () => {
  const error = new Error("a");
  error.cause = new Error("b", { cause: error });
  assert.deepEqual(told(error), ["a", "caused by b"]);
  const own = new AggregateError([], "own");
  own.errors.push(own);
  assert.equal(told(own)[0], "own");
});

test("of a long chain both ends are told", () => {
  let error = new Error("0");
  for (let count = 1; count <= 30; count += 1) error = new Error(String(count), { cause: error });
  const lines = told(error);
  assert.deepEqual(lines.slice(0, 3), ["30", "caused by 29", "caused by 28"]);
  assert.deepEqual(lines.slice(4, 7), ["caused by 26", "and 22 more", "caused by 3"]);
  assert.equal(lines.at(-1), "caused by 0");
});

test("members of a group are counted and indented", () => {
  const inner = new Error("two", { cause: "why" });
  const error = new AggregateError([new Error("one"), inner], "all", { cause: "reason" });
  assert.deepEqual(told(error), ["all", " 1 of 2: one", " 2 of 2: two", " caused by why", "caused by reason"]);
});

test("a group of one is told as that one", () => {
  assert.deepEqual(told(new AggregateError([new Error("one")], "group")), ["one", "in group"]);
  const outer = new Error("outer", { cause: new AggregateError(["one"], "group") });
  assert.deepEqual(told(outer), ["outer", "caused by one", "in group"]);
});

test("a large group is told by its first members", () => {
  const many = Array.from({ length: 100 }, (_, index) => new Error(String(index)));
  const lines = told(new AggregateError(many, "all"));
  assert.equal(lines.length, 10);
  assert.equal(lines.at(-1), " and 92 more");
});

test("groups in groups have a depth and a number that is bounded", () => {
  const nest = (depth) => new AggregateError(depth ? Array.from({ length: 10 }, () => nest(depth - 1)) : ["x", "y"], `d${depth}`);
  assert.ok(told(nest(4)).length < 100);
});

test("what is suppressed by a disposal is told with what suppressed it", () => {
  const error = Object.assign(new Error("s"), { name: "SuppressedError", error: new Error("new"), suppressed: new Error("old") });
  assert.deepEqual(told(error), ["s", " 1 of 2: new", " 2 of 2: old"]);
});

test("getters that throw are as if there were nothing", () => {
  const error = new Error("a");
  Object.defineProperty(error, "cause", { get: () => { throw new Error("no"); } });
  assert.deepEqual(told(error), ["a"]);
});

test("ends keep the first and the last", () => {
  assert.deepEqual(ends([1, 2, 3], 3), { first: [1, 2, 3], leftOut: 0, last: [] });
  assert.deepEqual(ends([1, 2, 3, 4, 5, 6], 3), { first: [1, 2], leftOut: 3, last: [6] });
});
