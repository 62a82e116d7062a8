/** The payloads of a job that one may begin with. */

import { h } from "../../dom.mjs";
import { compact, parse } from "../../logic/json.mjs";
import { cut } from "../../logic/visible.mjs";
import { button, since } from "../../parts.mjs";

/** @typedef {import("../function.mjs").FunctionPage} FunctionPage */
/** @typedef {import("../function.mjs").Named} Named */

/** @param {FunctionPage} page */
export function stock(page) {
  const { recent, saved, samples } = page.payloads;
  /** @type {[string, string, (Named & {at?: number | null, id?: string})[]][]} */
  const all = [
    ["recent", "Recent", recent.map((each) => ({ ...each, name: "" }))],
    ["saved", "Saved", saved],
    ["samples", "Samples", samples],
  ];
  const [, , list] = all.find(([name]) => name === page.shown) ?? all[0] ?? ["", "", []];
  return h(
    "section.panel.stock",
    { "aria-label": "Payloads" },
    h(
      "header.tabs",
      all.map(([name, title, some]) =>
        h(
          "button",
          {
            type: "button",
            "aria-pressed": String(name === page.shown),
            onclick: () => page.show(name),
          },
          title,
          h("span.count", some.length),
        ),
      ),
    ),
    list.length
      ? h(
          "ul",
          list.map((each, index) =>
            h(
              "li",
              { key: `${page.shown}-${each.name || index}` },
              h(
                "button",
                {
                  type: "button",
                  class: "pick",
                  title: "Put it into the editor",
                  onclick: () => page.use(each.payload, each.trigger),
                },
                each.name ? h("b", each.name) : since(each.at, page.app.now),
                h("code", cut(oneLine(each.payload), 200)),
              ),
              page.shown === "saved" &&
                button(`Delete ${each.name}`, "close", () => void page.forget(each.name), {
                  bare: true,
                }),
            ),
          ),
        )
      : h(
          "p.none",
          {
            recent: "No run has had a payload yet.",
            saved: "None is saved: “Save as…” keeps one in the app's folder.",
            samples: "There are none.",
          }[page.shown],
        ),
  );
}

/** @param {string} text */
function oneLine(text) {
  const { value } = parse(text);
  return value ? compact(value) : text;
}
