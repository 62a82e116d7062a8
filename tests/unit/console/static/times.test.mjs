import assert from "node:assert/strict";
import test from "node:test";
import {
  area,
  bars,
  nearest,
  path,
  rates,
  thinned,
  ticks,
} from "../../../../devbridge/console/static/logic/plots.mjs";
import {
  percent,
  phases,
  waterfall,
} from "../../../../devbridge/console/static/logic/waterfall.mjs";
import {
  ago,
  bytes,
  duration,
  moment,
  period,
  plural,
} from "../../../../devbridge/console/static/logic/words.mjs";

const step = (at, state, attempt = 1, detail = null) => ({ at, state, attempt, detail });

test("an attempt is its queue, its cold start and its run", () => {
  const made = waterfall(
    [step(10, "QUEUED"), step(12, "STARTING"), step(13, "RUNNING"), step(20, "SUCCEEDED")],
    99,
  );
  assert.deepEqual(made.lanes, [
    {
      attempt: 1,
      bars: [
        { phase: "queued", from: 10, to: 12, state: "QUEUED" },
        { phase: "starting", from: 12, to: 13, state: "STARTING" },
        { phase: "running", from: 13, to: 20, state: "SUCCEEDED" },
      ],
      marks: [],
      state: "SUCCEEDED",
      open: false,
    },
  ]);
  assert.deepEqual([made.from, made.to, percent(made, 15)], [10, 20, 50]);
});

test("the time between two attempts is no queue, and what lives reaches until now", () => {
  const made = waterfall(
    [
      step(0, "QUEUED"),
      step(1, "RUNNING"),
      step(3, "FAILED"),
      step(3, "QUEUED", 2),
      step(8, "RUNNING", 2),
    ],
    10,
  );
  assert.deepEqual(phases(made), { queued: 1, starting: 0, running: 4, waiting: 5 });
  assert.deepEqual(
    made.lanes.map((lane) => [lane.state, lane.open]),
    [
      ["FAILED", false],
      ["RUNNING", true],
    ],
  );
  assert.equal(made.to, 10);
});

test("what waits for its next attempt is not running, and an attempt is told as it has ended", () => {
  const again = "attempt 1 of 2 FAILED, again in 2 s";
  const history = [
    step(0, "QUEUED"),
    step(0, "RUNNING"),
    step(1, "RUNNING", 2, again),
    step(5, "RUNNING", 2),
    step(6, "SUCCEEDED", 2),
  ];
  const first = { attempt: 1, started_at: 0, ended_at: 1, state: "FAILED" };
  const second = { attempt: 2, started_at: 5, ended_at: 6, state: "SUCCEEDED" };
  const made = waterfall(history, 9, [first, second]);
  assert.deepEqual(phases(made), { queued: 0, starting: 0, running: 2, waiting: 4 });
  assert.deepEqual(
    made.lanes.map((lane) => [lane.state, lane.bars.at(-1).state]),
    [
      ["FAILED", "FAILED"],
      ["SUCCEEDED", "SUCCEEDED"],
    ],
  );
  assert.equal(phases(waterfall(history.slice(0, 3), 4, [first])).waiting, 3);
});

test("checkpoints are marks, and an interrupted attempt goes on in its lane", () => {
  const made = waterfall(
    [
      step(0, "RUNNING"),
      step(1, "CHECKPOINT", 1, "epoch 1"),
      step(2, "INTERRUPTED"),
      step(5, "RUNNING"),
      step(6, "SUCCEEDED"),
    ],
    9,
  );
  assert.deepEqual(made.lanes[0].marks, [{ at: 1, what: "epoch 1" }]);
  assert.deepEqual(
    made.lanes[0].bars.map((bar) => [bar.from, bar.to, bar.state]),
    [
      [0, 2, "INTERRUPTED"],
      [5, 6, "SUCCEEDED"],
    ],
  );
});

test("a run of which nothing is known has an axis all the same", () => {
  assert.deepEqual(waterfall([], 5), { from: 5, to: 5.001, lanes: [] });
});

test("steps of an axis are round, and reach what is largest", () => {
  assert.deepEqual(ticks(100, 2), [0, 50, 100]);
  assert.deepEqual(ticks(0.3, 3), [0, 0.1, 0.2, 0.3]);
  assert.deepEqual(ticks(0), [0, 1]);
});

test("a line has at most two points a pixel, and keeps its peaks", () => {
  const points = Array.from({ length: 100_000 }, (_, index) => [index, index === 54_321 ? 9 : 1]);
  const thin = thinned(points, 100);
  assert.equal(thin.length, 200);
  assert.ok(thin.some((point) => point[1] === 9));
  const room = { from: 0, to: 2, most: 10, width: 100, height: 50 };
  assert.equal(
    path(
      [
        [0, 0],
        [1, 10],
        [2, 5],
      ],
      room,
    ),
    "M0 50L50 0L100 25",
  );
  assert.equal(
    area(
      [
        [0, 0],
        [2, 10],
      ],
      room,
    ),
    "M0 50L100 0L100 50L0 50Z",
  );
  assert.equal(path([], room), "");
});

test("the nearest sample is found", () => {
  const points = [
    [0, 1],
    [10, 2],
    [20, 3],
  ];
  assert.deepEqual(
    [nearest(points, 14)[1], nearest(points, 16)[1], nearest(points, -5)[1], nearest([], 1)],
    [2, 3, 1, null],
  );
});

test("bars are never flat, nor too high", () => {
  const shown = bars([
    { state: "FAILED", seconds: null },
    { state: "SUCCEEDED", seconds: 100 },
    { state: "202", seconds: -1 },
  ]);
  assert.deepEqual(
    shown.map((bar) => [bar.state, bar.height]),
    [
      ["FAILED", 0.12],
      ["SUCCEEDED", 1],
      ["SUCCEEDED", 0.12],
    ],
  );
});

test("a rate is of what has ended, and a cancelled run is neither", () => {
  const run = (state, seconds) => ({ state, seconds });
  assert.deepEqual(
    rates([
      run("SUCCEEDED", 1),
      run("SUCCEEDED", 9),
      run("SUCCEEDED", 3),
      run("FAILED", 100),
      run("RUNNING", 5),
      run("CANCELLED", 5),
    ]),
    { ended: 4, success: 0.75, median: 3 },
  );
  assert.deepEqual(rates([run("202", 1), run("404", 1), run("500", 1), run("failed", 1)]), {
    ended: 4,
    success: 0.5,
    median: 1,
  });
  assert.equal(rates([run("FAILED", null)]).median, null); // it could not be started
  assert.deepEqual(rates([]), { ended: 0, success: null, median: null });
});

test("times and sizes are short", () => {
  assert.deepEqual([3, 0.5, 90, 600, 28800].map(period), [
    "3 s",
    "500 ms",
    "1 min 30 s",
    "10 min",
    "8 h",
  ]);
  assert.deepEqual([0.0004, 0.24, 1.5, 59.96, 245, 7800, 273600, null].map(duration), [
    "0 ms",
    "240 ms",
    "1.50 s",
    "1 min 00 s",
    "4 min 05 s",
    "2 h 10 min",
    "3 d 4 h",
    "",
  ]);
  assert.deepEqual(
    [2, 42, 90, 7300, 200_000].map((seconds) => ago(1e9 - seconds, 1e9)),
    ["just now", "40 s ago", "1 min ago", "2 h ago", "2 d ago"],
  );
  assert.equal(ago(1e9 + 120, 1e9), "in 2 min");
  assert.deepEqual([0, 999, 1500, 250e6].map(bytes), ["0 B", "999 B", "1.5 kB", "250 MB"]);
  assert.match(moment(0, "UTC"), /^1 Jan, 00:00:00$/);
  assert.deepEqual([plural(1, "run"), plural(1204, "run")], ["1 run", "1,204 runs"]);
});
