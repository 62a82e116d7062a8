import assert from "node:assert/strict";
import test from "node:test";
import {
  missing,
  Scrolling,
  TALLEST,
} from "../../../../devbridge/console/static/logic/scrolling.mjs";

const made = (total, row = 20, viewport = 600) => {
  const scrolling = new Scrolling(row);
  scrolling.resized(total, viewport, false);
  return scrolling;
};

test("a short list is scrolled as it is", () => {
  const list = made(1000);
  list.moved(4000);
  assert.deepEqual(
    [list.top, list.shown, list.window(0)],
    [4000, 20_000, { first: 200, count: 30, offset: 0 }],
  );
  list.moved(4007);
  assert.deepEqual(list.window(0), { first: 200, count: 31, offset: -7 });
});

test("ten million rows fit below the browsers' cap, and all are reached", () => {
  const list = made(10_000_000);
  assert.equal(list.shown, TALLEST);
  list.moved(list.furthestBar);
  const { first, count } = list.window(0);
  assert.equal(first + count, 10_000_000);
  list.moved(0);
  assert.equal(list.window(0).first, 0);
});

test("the bar's middle is the middle of the rows", () => {
  const list = made(1_000_000);
  list.moved(Math.round(list.furthestBar / 2));
  assert.ok(Math.abs(list.window(0).first - 500_000) < 20);
});

test("a wheel's step moves by just that, however long the list", () => {
  const list = made(50_000_000);
  list.moved(list.furthestBar / 2);
  const before = list.top;
  list.moved(list.bar + 100);
  assert.equal(list.top, before + 100);
  list.moved(list.bar - 40);
  assert.equal(list.top, before + 60);
});

test("when nobody moves the bar it is put where it belongs, and nothing is seen of it", () => {
  const list = made(50_000_000);
  list.moved(list.furthestBar / 2);
  for (let index = 0; index < 100; index += 1) list.moved(list.bar + 500);
  const { top } = list;
  const bar = list.settle();
  list.moved(bar);
  assert.equal(list.top, top);
  assert.ok(Math.abs(bar / list.furthestBar - top / list.furthest) < 1e-6);
});

test("who is at the end stays there when more is written, and who is not does not move", () => {
  const list = made(1000);
  list.reveal(999);
  assert.ok(list.atEnd);
  list.resized(2000, 600, true);
  assert.ok(list.atEnd);
  list.moved(100);
  assert.ok(!list.atEnd);
  list.resized(3000, 600, false);
  assert.equal(list.top, 100);
});

test("a row is revealed with the shortest way, or in the middle", () => {
  const list = made(1000);
  list.reveal(10);
  assert.equal(list.top, 0);
  list.reveal(30);
  assert.equal(list.top, 20);
  list.reveal(500, "centre");
  assert.equal(list.top, 10_000 - 290);
  list.reveal(999, "centre");
  assert.equal(list.top, list.furthest);
});

test("a list that has become shorter is not scrolled beyond its end", () => {
  const list = made(1000);
  list.moved(10_000);
  list.resized(20, 600, false);
  assert.deepEqual([list.top, list.window(6)], [0, { first: 0, count: 20, offset: 0 }]);
});

test("only the chunks are asked for that are seen and missing", () => {
  assert.deepEqual(
    missing(350, 100, 200, () => false),
    [1, 2],
  );
  assert.deepEqual(
    missing(350, 100, 200, (chunk) => chunk === 1),
    [2],
  );
  assert.deepEqual(
    missing(0, 0, 200, () => false),
    [],
  );
});
