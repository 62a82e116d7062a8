/** One run of the list. */

import { h } from "../../dom.mjs";
import { LIVE } from "../../logic/filters.mjs";
import { runPath } from "../../logic/routes.mjs";
import { moment } from "../../logic/words.mjs";
import { badge, line, since, took } from "../../parts.mjs";

/**
 * @param {import("../../logic/filters.mjs").Row} row
 * @param {number} now
 * @param {boolean} chosen
 * @param {boolean} tab whether Tab leads to it: to one of the rows, and past all others
 * @param {() => void} onfocus
 */
export function runRow(row, now, chosen, tab, onfocus) {
  const cancelling = row.cancelled && LIVE.has(row.state);
  return h(
    "div",
    { role: "listitem", key: row.id, class: "item" },
    h(
      "a",
      {
        class: `run ${chosen ? "chosen" : ""}`,
        href: runPath(row.id),
        "data-id": row.id,
        tabindex: tab ? 0 : -1,
        onfocus,
      },
      badge(row.paused ? "PAUSED" : row.state),
      h("span.job", row.job),
      h("span.said", row.error ? h("span.error", line(row.error)) : h("code", line(row.payload))),
      h("span.trigger", row.trigger ?? ""),
      h(
        "span.num.attempt",
        row.attempt > 1 || row.max_attempts > 1 ? `${row.attempt}/${row.max_attempts}` : "",
      ),
      h(
        "span.when",
        row.state === "SCHEDULED"
          ? moment(row.starts_at)
          : since(row.created_at ?? row.started_at, now),
      ),
      h("span.num.took", cancelling ? "cancelling" : took(row, now)),
    ),
  );
}
