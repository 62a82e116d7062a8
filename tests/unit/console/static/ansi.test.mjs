import assert from "node:assert/strict";
import test from "node:test";
import {
  bare,
  LONGEST,
  returned,
  spans,
} from "../../../../devbridge/console/static/logic/ansi.mjs";

const short = (line) =>
  spans(line).map((span) =>
    [span.text, ...span.classes, ...Object.values(span.style)].join(" "),
  );

test("weights become classes, and colours are those of the theme", () => {
  assert.deepEqual(short("a\u001b[1;31mred\u001b[22m\u001b[42m on green\u001b[0m b"), [
    "a",
    "red a-bold a-ink var(--a1)",
    " on green a-ink a-on var(--a1) var(--a2)",
    " b",
  ]);
  assert.deepEqual(short("\u001b[91mbright\u001b[39m \u001b[3;4;9mx"), [
    "bright a-ink var(--a9)",
    " ",
    "x a-italic a-underline a-strike",
  ]);
});

test("the 256 colours and those of three parts are colours", () => {
  assert.deepEqual(
    short("\u001b[38;5;9ma\u001b[38;5;196mb\u001b[38;5;244mc\u001b[48;2;1;2;300md"),
    ["a a-ink var(--a9)", "b #ff0000", "c #808080", "d #808080 #0102ff"],
  );
  assert.deepEqual(short("\u001b[38:5:196mx"), ["x #ff0000"]);
});

test("what is inverse has its colours changed", () => {
  assert.deepEqual(short("\u001b[7mx\u001b[0m"), ["x a-bg a-on-fg"]);
  assert.deepEqual(short("\u001b[31;7mx"), ["x a-bg a-on var(--a1)"]);
});

test("markup is text, and controls that are no colours are seen", () => {
  assert.deepEqual(short("<b>x</b> \u0007\u001b]0;title\u0007\u001b[2J\u202e"), [
    "<b>x</b> \\x07\\x1b]0;title\\x07\\x1b[2J\\u202e",
  ]);
});

test("a broken sequence is seen, and does no harm", () => {
  assert.deepEqual(short("\u001b[38;5mx\u001b["), ["x\\x1b[ a-ink var(--a0)"]);
  assert.deepEqual(short("\u001b[999;mx"), ["x"]);
});

test("links of terminals are their text", () => {
  assert.deepEqual(short("\u001b]8;;https://a.b\u001b\\see\u001b]8;;\u001b\\"), ["see"]);
});

test("a progress bar is one line, as it was last", () => {
  assert.equal(returned("10%\r50%\r100% done\r"), "100% done");
  assert.equal(returned("plain\r"), "plain");
  assert.equal(returned("long text\rab"), "abng text");
  assert.equal(returned("long text\r\u001b[Kab"), "\u001b[Kab");
  assert.equal(bare("\u001b[32m 20%\u001b[0m|##"), " 20%|##");
});

test("a line without end is cut where it is shown", () => {
  const [span] = spans("x".repeat(1_000_000));
  assert.equal(span.text.length, LONGEST + 2);
});
