import assert from "node:assert/strict";
import test from "node:test";
import {
  asked,
  described,
  fromSearch,
  isTime,
  matches,
  none,
  timeOf,
  toSearch,
} from "../../../../devbridge/console/static/logic/filters.mjs";

const ROW = {
  id: "a",
  job: "factorial",
  state: "FAILED",
  trigger: "queue orders",
  created_at: 1000,
  started_at: 1001,
  ended_at: 1002,
  attempt: 1,
  max_attempts: 1,
  payload: "{}",
  error: null,
};

test("an address and its filters are the same thing", () => {
  for (const search of [
    "",
    "?job=factorial",
    "?job=a+b&state=failed&since=24h&trigger=queue+orders&text=%22num%22%3A+5",
    "?state=RUNNING,CANCELLED",
    "?since=2026-11-27&until=2026-11-28T10:30",
    "?log=%26%3F%23",
  ]) {
    assert.deepEqual(fromSearch(toSearch(fromSearch(search))), fromSearch(search));
    assert.equal(
      toSearch(fromSearch(search)).replaceAll(":", "%3A"),
      search.replaceAll(":", "%3A"),
    );
  }
});

test("what an address should not have is not looked at", () => {
  assert.deepEqual(fromSearch("?state=nonsense&since=yesterday&until=9&other=1"), none());
  assert.deepEqual(fromSearch("?state=live").state, ["QUEUED", "STARTING", "RUNNING"]);
});

test("times are so long ago, a day, or a moment", () => {
  assert.equal(timeOf("15m", 10_000), 9100);
  assert.equal(timeOf("2026-11-27T00:00Z", 0), Date.UTC(2026, 10, 27) / 1000);
  assert.equal(timeOf("2026-11-27", 0), new Date(2026, 10, 27).getTime() / 1000);
  assert.equal(timeOf("", 0), null);
  assert.equal(isTime("2026-13-45"), false);
});

test("the server is asked only for what is set", () => {
  assert.deepEqual(asked(none(), 0), {});
  assert.deepEqual(asked({ ...none(), state: ["FAILED", "CRASHED"], since: "1h" }, 7200), {
    state: "FAILED,CRASHED",
    since: "3600",
  });
});

test("a run that is told of belongs to the list, or not, or only the server knows", () => {
  const all = {
    ...none(),
    job: "factorial",
    state: ["FAILED"],
    trigger: "queue orders",
    since: "1h",
  };
  assert.equal(matches(all, ROW, 2000), true);
  assert.equal(matches(all, ROW, 9000), false);
  assert.equal(matches({ ...all, job: "other" }, ROW, 2000), false);
  assert.equal(matches({ ...all, state: ["QUEUED"] }, ROW, 2000), false);
  assert.equal(matches({ ...all, text: "5" }, ROW, 2000), null);
  assert.equal(matches({ ...all, log: "5" }, ROW, 2000), null);
});

test("what would be replayed is said in words", () => {
  const filters = {
    ...none(),
    job: "factorial",
    state: ["FAILED", "CRASHED"],
    text: "5",
    since: "24h",
  };
  assert.equal(
    described(filters, 1204),
    "1,204 runs of factorial that are failed or crashed with “5” since 24h ago",
  );
  assert.equal(described(none(), 1), "1 run");
});
