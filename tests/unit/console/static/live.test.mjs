import assert from "node:assert/strict";
import test from "node:test";
import { Connection } from "../../../../devbridge/console/static/logic/connection.mjs";
import { none } from "../../../../devbridge/console/static/logic/filters.mjs";
import {
  CHUNK,
  KEPT,
  Lines,
  marked,
  partOf,
} from "../../../../devbridge/console/static/logic/lines.mjs";
import { RunList } from "../../../../devbridge/console/static/logic/runs.mjs";

const row = (id, more = {}) => ({
  id,
  job: "a",
  state: "QUEUED",
  trigger: null,
  created_at: 10,
  started_at: null,
  ended_at: null,
  attempt: 1,
  max_attempts: 1,
  payload: "",
  error: null,
  ...more,
});
const ids = (rows) => rows.map((each) => each.id);

test("a stream that breaks is tried again, later each time, and what was missed is asked for", () => {
  const connection = new Connection();
  assert.deepEqual(connection.on("start"), { open: true });
  assert.deepEqual(connection.on("opened"), { reload: false });
  assert.deepEqual(connection.on("failed"), { close: true, wait: 500 });
  assert.equal(connection.state, "offline");
  assert.deepEqual(connection.on("due"), { open: true });
  assert.deepEqual(connection.on("failed"), { close: true, wait: 1000 });
  for (let index = 0; index < 9; index += 1) connection.on("failed");
  assert.equal(connection.delay, 8000);
  assert.deepEqual(connection.on("opened"), { reload: true });
  assert.equal(connection.state, "live");
});

test("a stream may be opened again by the browser itself: what has failed meanwhile is asked for", () => {
  const connection = new Connection();
  connection.on("start");
  connection.on("opened");
  assert.deepEqual(connection.on("lost"), {});
  assert.equal(connection.state, "offline");
  assert.deepEqual(connection.on("opened"), { reload: true });
  assert.equal(connection.state, "live");
});

test("a hidden page has no stream, and one that is shown again asks for what it has missed", () => {
  const connection = new Connection();
  connection.on("start");
  connection.on("opened");
  assert.deepEqual(connection.on("hidden"), { close: true });
  assert.deepEqual(connection.on("failed"), {});
  assert.deepEqual(connection.on("due"), {});
  assert.deepEqual(connection.on("shown"), { open: true });
  assert.deepEqual(connection.on("opened"), { reload: true });
  assert.deepEqual(connection.on("shown"), {});
});

test("a closed one does nothing", () => {
  const connection = new Connection();
  assert.deepEqual(connection.on("shown"), {});
  connection.on("start");
  assert.deepEqual(connection.on("stop"), { close: true });
  assert.deepEqual(connection.on("failed"), {});
});

test("a new run comes on top, and a known one changes where it is", () => {
  const list = new RunList();
  list.filled({ runs: [row("b"), row("a")], after: null, total: 2 });
  list.told(row("c"), none(), 20, false);
  list.told(row("a", { state: "RUNNING" }), none(), 20, false);
  assert.deepEqual(
    [ids(list.rows), list.rows[2].state, list.total],
    [["c", "b", "a"], "RUNNING", 3],
  );
});

test("nothing moves under a hand: new runs wait until they are asked for", () => {
  const list = new RunList();
  list.filled({ runs: [row("a")], after: null, total: 1 });
  list.told(row("b"), none(), 20, true);
  list.told(row("b", { state: "RUNNING" }), none(), 20, true);
  assert.deepEqual(
    [ids(list.rows), list.waiting.length, list.waiting[0].state],
    [["a"], 1, "RUNNING"],
  );
  list.release();
  assert.deepEqual(ids(list.rows), ["b", "a"]);
});

test("a run that no more matches stays where it is, another one does not come", () => {
  const list = new RunList();
  const filters = { ...none(), state: ["QUEUED"] };
  list.filled({ runs: [row("a")], after: null, total: 1 });
  list.told(row("a", { state: "FAILED" }), filters, 20, false);
  list.told(row("b", { state: "FAILED" }), filters, 20, false);
  assert.deepEqual([ids(list.rows), list.rows[0].state], [["a"], "FAILED"]);
});

test("what only the server can place makes the list stale; what is further down is left to it", () => {
  const list = new RunList();
  list.filled({ runs: [row("a")], after: "next", total: null });
  list.told(row("old", { created_at: 1 }), none(), 20, false);
  assert.deepEqual(ids(list.rows), ["a"]);
  list.told(row("b"), { ...none(), text: "x" }, 20, false);
  assert.deepEqual([ids(list.rows), list.stale], [["a"], true]);
  list.more({ runs: [row("a"), row("old")], after: null, total: null });
  assert.deepEqual([ids(list.rows), list.after, list.total], [["a", "old"], null, null]);
});

test("a chunk is here when all its lines are, and the last one is asked for again when there is more", () => {
  const lines = new Lines();
  lines.told(250, false);
  lines.put(0, { lines: Array(200).fill("x"), total: 250, complete: false });
  assert.deepEqual(
    [lines.has(0), lines.has(1), lines.at(5), lines.at(210)],
    [true, false, "x", undefined],
  );
  lines.stale = false;
  lines.put(1, { lines: Array(50).fill("y"), total: 250, complete: false });
  assert.ok(lines.has(1));
  lines.told(251, false);
  assert.ok(!lines.has(1));
  assert.ok(lines.has(0));
});

test("a line that grows by progress is asked for again until its log is complete", () => {
  const lines = new Lines();
  lines.put(0, { lines: ["10%"], total: 1, complete: false });
  lines.told(1, false);
  assert.ok(!lines.has(0));
  lines.stale = false;
  lines.put(0, { lines: ["100%"], total: 1, complete: true });
  lines.told(1, true);
  assert.ok(lines.has(0));
});

test("a rotated log has other lines, and of a long one only some are kept", () => {
  const lines = new Lines();
  for (let chunk = 0; chunk < KEPT + 5; chunk += 1)
    lines.put(chunk, { lines: ["x"], total: 1e6, complete: true, version: "1" });
  assert.deepEqual([lines.chunks.size, lines.at(0), lines.at(5 * CHUNK)], [KEPT, undefined, "x"]);
  lines.put(9, { lines: ["z"], total: 1e6, complete: true, version: "2" });
  assert.deepEqual([...lines.chunks.keys()], [9]);
});

test("an attempt's log is a part of the whole", () => {
  const attempts = [
    { attempt: 1, line: 0 },
    { attempt: 2, line: null },
    { attempt: 3, line: 40 },
  ];
  assert.deepEqual(partOf(attempts, 1, 100), { from: 0, total: 40 });
  assert.deepEqual(partOf(attempts, 3, 100), { from: 40, total: 60 });
  assert.deepEqual(partOf(attempts, null, 100), { from: 0, total: 100 });
});

test("what was looked for is marked, in either case", () => {
  assert.deepEqual(marked("Error: no error", "error"), [
    { text: "Error", found: true },
    { text: ": no ", found: false },
    { text: "error", found: true },
  ]);
  assert.deepEqual(marked("x", ""), [{ text: "x", found: false }]);
  assert.deepEqual(marked("İerror", "error"), [{ text: "İerror", found: false }]);
});
