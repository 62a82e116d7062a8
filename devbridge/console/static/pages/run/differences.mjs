/** What is different from the run of the same job before. */

import { h } from "../../dom.mjs";
import { changes } from "../../logic/diff.mjs";
import { compact } from "../../logic/json.mjs";
import { runPath } from "../../logic/routes.mjs";
import { cut } from "../../logic/visible.mjs";
import { short } from "../../logic/words.mjs";
import { badge, panel, since } from "../../parts.mjs";

/** @typedef {import("../../logic/json.mjs").Node} Node */

const MOST = 60;

/**
 * @param {import("../../logic/filters.mjs").Row} before
 * @param {[string, Node | null, Node | null][]} pairs
 * @param {number} now
 */
export function differences(before, pairs, now) {
  const found = pairs.map(([name, one, other]) => ({ name, list: changes(one, other) }));
  const some = found.some(({ list }) => list.length);
  return panel(
    "Changed since",
    h(
      "a.previous",
      { href: runPath(before.id) },
      badge(before.state),
      h("code", short(before.id)),
      since(before.created_at, now),
    ),
    some
      ? found.map(
          ({ name, list }) =>
            list.length > 0 &&
            h(
              "table.diff",
              { key: name },
              h("caption", name),
              h(
                "tbody",
                list.slice(0, MOST).map(row),
                list.length > MOST &&
                  h("tr", h("td", { colspan: 2 }, `and ${list.length - MOST} more`)),
              ),
            ),
        )
      : h("p.none", pairs[1]?.[1] ? "Payload and result are the same." : "The payload is the same."),
  );
}

/** @param {import("../../logic/diff.mjs").Change} change */
const row = (change) =>
  h(
    "tr",
    { class: change.kind, key: `${change.kind} ${change.path}` },
    h("th", { scope: "row" }, change.path || "all of it"),
    h(
      "td",
      change.before && h("del", cut(compact(change.before), 300)),
      change.after && h("ins", cut(compact(change.after), 300)),
    ),
  );
