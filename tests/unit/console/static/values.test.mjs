import assert from "node:assert/strict";
import test from "node:test";
import { changes } from "../../../../devbridge/console/static/logic/diff.mjs";
import { compact, parse } from "../../../../devbridge/console/static/logic/json.mjs";
import { openedAtFirst, rows } from "../../../../devbridge/console/static/logic/tree.mjs";

const node = (value) => parse(JSON.stringify(value)).value;
const diff = (one, other) =>
  changes(one === undefined ? null : node(one), other === undefined ? null : node(other)).map(
    (each) => [each.path, each.before && compact(each.before), each.after && compact(each.after)],
  );

test("only what differs is told, with its path", () => {
  assert.deepEqual(diff({ a: 1, b: [1, 2], c: "x" }, { a: 1, b: [1, 3], c: "x" }), [
    [".b[1]", "2", "3"],
  ]);
  assert.deepEqual(diff({ a: 1, b: 2 }, { b: 2, "c d": null }), [
    ['["c d"]', null, "null"],
    [".a", "1", null],
  ]);
  assert.deepEqual(diff({ a: 1, b: 2 }, { b: 2, a: 1 }), []);
  assert.deepEqual(diff({ a: 1 }, [1]), [["", '{"a": 1}', "[1]"]]);
  assert.deepEqual(diff(undefined, 1), [["", null, "1"]]);
});

test("what was put into a list does not change all behind it", () => {
  assert.deepEqual(diff([1, 2, 3], [0, 1, 2, 3]), [["[0]", null, "0"]]);
  assert.deepEqual(diff([1, 2, 3], [1, 3]), [["[1]", "2", null]]);
  assert.deepEqual(diff([{ a: 1, b: 2 }, 5], [{ a: 1, b: 3 }, 5]), [["[0].b", "2", "3"]]);
});

test("long lists are compared place by place", () => {
  const long = Array.from({ length: 5000 }, (_, index) => index);
  assert.deepEqual(diff(long, [...long.slice(0, 4999), -1]), [["[4999]", "4999", "-1"]]);
});

test("numbers differ by how they are written, for so they were sent", () => {
  assert.equal(
    changes(parse("10000000000000000000001").value, parse("10000000000000000000002").value).length,
    1,
  );
});

test("a small value is open, a large one shows what it is made of", () => {
  const small = node({ a: [1, 2], b: { c: 1 } });
  assert.equal(rows(small, openedAtFirst(small)).rows.length, 6);
  const large = node(
    Object.fromEntries(
      Array.from({ length: 20 }, (_, index) => [`k${index}`, Array.from({ length: 50 }, () => 1)]),
    ),
  );
  const shown = rows(large, openedAtFirst(large)).rows;
  assert.deepEqual([shown.length, shown[1].summary, shown[1].open], [21, "[50]", false]);
});

test("a row folds and unfolds, and two members of one name are two", () => {
  const { value } = parse('{"a": {"x": 1}, "a": {"y": 2}}');
  const closed = rows(value, new Set(["$"])).rows;
  assert.deepEqual(
    closed.map((row) => [row.depth, row.name, row.summary]),
    [
      [0, null, "{2}"],
      [1, '"a"', "{1}"],
      [1, '"a"', "{1}"],
    ],
  );
  const open = rows(value, new Set(["$", closed[2].path])).rows;
  assert.deepEqual(
    open.map((row) => row.name),
    [null, '"a"', '"a"', '"y"'],
  );
});

test("no more rows are made than are asked for", () => {
  const value = node(Array.from({ length: 100_000 }, (_, index) => index));
  const shown = rows(value, new Set(["$"]), 500);
  assert.deepEqual([shown.rows.length, shown.more], [500, true]);
});
