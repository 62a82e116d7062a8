/** The attempts of a run as bars over its time. */

import { h } from "../../dom.mjs";
import { percent, phases } from "../../logic/waterfall.mjs";
import { duration, moment, stateWord } from "../../logic/words.mjs";
import { panel } from "../../parts.mjs";

/** @typedef {import("../../logic/waterfall.mjs").Waterfall} Waterfall */

const NAMES = {
  queued: "queued",
  starting: "starting",
  running: "running",
  waiting: "waiting for the next attempt",
};

/**
 * @param {Waterfall} made
 * @param {import("../../logic/filters.mjs").Row} run
 */
export function attempts(made, run) {
  const sums = phases(made);
  const total = made.to - made.from;
  return panel(
    run.max_attempts > 1 ? `Attempt ${run.attempt} of ${run.max_attempts}` : "Time",
    h("span.soft", moment(run.created_at ?? run.started_at)),
    h(
      "div.waterfall",
      { role: "img", "aria-label": told(made) },
      made.lanes.map((lane) =>
        h(
          "div.lane",
          { key: lane.attempt },
          h("span.num", lane.attempt),
          h(
            "div.track",
            lane.bars.map((bar) => {
              const from = percent(made, bar.from);
              const title = `${NAMES[bar.phase]} ${duration(bar.to - bar.from)}`;
              return h("span", {
                class: `bar ${bar.phase} s-${bar.state}`,
                title,
                style: { left: `min(${from}%, 100% - 2px)`, width: `${percent(made, bar.to) - from}%` },
              });
            }),
            lane.marks.map((mark) =>
              h("i.mark", { title: mark.what, style: { left: `${percent(made, mark.at)}%` } }),
            ),
          ),
          h(
            "span.num.end",
            duration(
              lane.bars
                .filter((bar) => bar.phase === "running")
                .reduce((sum, bar) => sum + bar.to - bar.from, 0),
            ),
          ),
        ),
      ),
      h(
        "div.axis",
        { "aria-hidden": "true" },
        [0, 0.25, 0.5, 0.75, 1].map((share) =>
          h("span", share ? `+${duration(total * share)}` : "0"),
        ),
      ),
    ),
    h(
      "dl.phases",
      [
        ["queued", "Queued", sums.queued],
        ["starting", "Cold start", sums.starting],
        ["running", "Running", sums.running],
        ["waiting", "Between attempts", sums.waiting],
      ].map(
        ([kind, name, seconds]) =>
          (seconds || kind === "running") && [
            h("dt", { class: `${kind} s-${run.state}` }, name),
            h("dd.num", duration(Number(seconds))),
          ],
      ),
    ),
  );
}

/** @param {Waterfall} made */
const told = (made) =>
  made.lanes
    .map(
      (lane) =>
        `Attempt ${lane.attempt}: ${lane.bars.map((bar) => `${NAMES[bar.phase]} ${duration(bar.to - bar.from)}`).join(", ")}, ${stateWord(lane.state)}`,
    )
    .join(". ");
