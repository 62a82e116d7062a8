import assert from "node:assert/strict";
import test from "node:test";
import {
  at,
  compact,
  format,
  member,
  parse,
  place,
  plain,
  steps,
  tokens,
} from "../../../../devbridge/console/static/logic/json.mjs";

const first = (text) => {
  const [problem] = parse(text).problems;
  return problem && [problem.message, problem.from, problem.to];
};

test("a value keeps its numbers as they were written", () => {
  const text = '{"big": 265252859812191058636308480000000, "one": 1.0, "tiny": 1e-400}';
  const { value, problems } = parse(text);
  assert.deepEqual(problems, []);
  assert.equal(compact(value), text);
});

test("what JSON.parse takes is taken, and means the same", () => {
  for (const text of [
    "[]",
    "{}",
    '"a\\u0041\\n\\""',
    '[1, -0.5e+3, true, false, null, {"a": [{}]}]',
    ' "\u2028" ',
  ]) {
    assert.deepEqual(plain(parse(text).value), JSON.parse(text), text);
  }
});

test("what JSON.parse refuses is refused", () => {
  const bad = [
    "",
    "{",
    "[1,]",
    '{"a":1,}',
    "{a: 1}",
    "01",
    "1.",
    "+1",
    ".5",
    "NaN",
    "'a'",
    '"a',
    '"\\x"',
    '"a\tb"',
    "1 2",
    "[1 2]",
    '{"a" 1}',
    '{"a":}',
    "True",
    "]",
    "nul",
  ];
  for (const text of bad) {
    assert.throws(() => JSON.parse(text), text);
    assert.equal(parse(text).value, null, text);
    assert.equal(parse(text).problems.length, 1, text);
  }
});

test("the first problem has its place and a remedy", () => {
  assert.deepEqual(first('{"a": True}'), ["JSON has true, not True", 6, 10]);
  assert.deepEqual(first("{'a': 1}"), ["A name in double quotes is missing here", 1, 4]);
  assert.deepEqual(first("[1, 2,]"), ["No comma before ]", 5, 6]);
  assert.deepEqual(first('{"a": 1 "b": 2}'), ["A comma or } is missing before this", 8, 11]);
  assert.deepEqual(first('{"a": "x}'), ["This string is not closed", 6, 9]);
  assert.deepEqual(first('{"a": 1'), ["} is missing", 0, 1]);
  assert.deepEqual(first(""), ["A value is missing here", 0, 0]);
});

test("a name that is there twice is a warning: the last one counts", () => {
  const { value, problems } = parse('{"a": 1, "a": 2}');
  assert.equal(member(value, "a").raw, "2");
  assert.deepEqual(
    problems.map((each) => [each.message, each.warning]),
    [['"a" is here twice', true]],
  );
});

test("what is nested too deep is said, and does not break the page", () => {
  assert.match(parse("[".repeat(50_000)).problems[0].message, /^Nested deeper/);
});

test("names and values are told apart while one writes", () => {
  assert.deepEqual(
    tokens('{"a": "b').map((each) => [each.type, each.key]),
    [
      ["{", undefined],
      ["string", true],
      [":", undefined],
      ["string", undefined],
    ],
  );
});

test("a value is laid out in lines and in one", () => {
  const { value } = parse('{"a":[1,2],"b":{"c":[{"d":1}]},"e":{},"f":[]}');
  assert.equal(
    format(value),
    '{\n  "a": [1, 2],\n  "b": {\n    "c": [\n      {\n        "d": 1\n      }\n    ]\n  },\n  "e": {},\n  "f": []\n}',
  );
  assert.equal(compact(value), '{"a": [1, 2], "b": {"c": [{"d": 1}]}, "e": {}, "f": []}');
});

test("a place is a line and a column from 1, and a path leads to a value", () => {
  assert.deepEqual(place('{\n  "a": 1\n}', 4), { line: 2, column: 3 });
  const { value } = parse('{"items": [{"id": 7}]}');
  assert.equal(compact(at(value, ["items", 0, "id"])), "7");
  assert.equal(at(value, ["items", 1, "id"]), null);
  for (const path of ["$.items[0].id", "/items/0/id", "items.0.id", "$['items'][0]['id']"]) {
    assert.deepEqual(steps(path), ["items", 0, "id"], path);
  }
  assert.deepEqual(steps("$"), []);
});
