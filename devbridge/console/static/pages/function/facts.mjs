/** What is known of a function: its last runs, and what it is made of. */

import { h } from "../../dom.mjs";
import { runPath } from "../../logic/routes.mjs";
import { typeName, variants } from "../../logic/schema.mjs";
import { duration, period } from "../../logic/words.mjs";
import { badge, button, line, panel, since, spark } from "../../parts.mjs";

/** @typedef {import("../function.mjs").FunctionPage} FunctionPage */
/** @typedef {import("../functions.mjs").Fn} Fn */
/** @typedef {{name: string, port?: number, connect?: {port: number}}} Attach */
/** @typedef {{possible: boolean, open: boolean, attach: Attach[]}} Debugging */

/** @param {Fn} fn @param {number} now */
export function lately(fn, now) {
  const list = fn.kind === "job" ? fn.recent.slice(0, 8) : fn.recent;
  return panel(
    fn.kind === "job" ? "Last runs" : "Last requests",
    fn.kind === "job" && h("a", { href: `/runs?job=${encodeURIComponent(fn.name)}` }, "All"),
    spark(fn.recent),
    h(
      "ul.lately",
      list.map((each, index) => {
        const inner = [
          fn.kind === "job" ? badge(each.state) : [h("code", each.state), h("span", each.id)],
          h("span.error", { title: each.error }, line(each.error)),
          h("span.num", duration(each.seconds)),
          since(each.started_at, now),
        ];
        return h(
          "li",
          { key: fn.kind === "job" ? each.id : index },
          fn.kind === "job"
            ? h("a", { href: runPath(each.id), "data-item": "" }, inner)
            : h("span", inner),
        );
      }),
    ),
    !list.length && h("p.none", "It has not run yet."),
    fn.kind === "function" &&
      h("p.none", "It runs when it is called. What it prints: ", h("code", `devbridge logs ${fn.name}`)),
  );
}

/** @param {FunctionPage} page @param {Fn} fn */
export function facts(page, fn) {
  const { schema } = fn;
  const [own] = schema ? variants(schema, schema) : [];
  const properties = Object.entries(own?.properties ?? {});
  return panel(
    "About",
    null,
    h(
      "dl.facts",
      h("dt", "Runs on"),
      h("dd", fn.compute, fn.live ? ", live on this machine" : ""),
      fn.timeout && [h("dt", "Timeout"), h("dd", period(fn.timeout))],
      h("dt", "Triggers"),
      h("dd", fn.triggers.length ? fn.triggers.map((name) => h("span.chip", name)) : "none"),
      page.debugging?.possible && [h("dt", "Debugger"), h("dd", debuggers(page, page.debugging))],
    ),
    properties.length > 0 &&
      h(
        "table.schema",
        h("caption", "Payload"),
        h(
          "tbody",
          properties.map(([name, value]) =>
            h(
              "tr",
              { key: name },
              h(
                "th",
                { scope: "row" },
                name,
                own?.required?.includes(name) ? null : h("small", " optional"),
              ),
              h(
                "td",
                h("code", typeName(value, schema)),
                value.description && h("small", value.description),
              ),
            ),
          ),
        ),
      ),
    fn.kind === "job" && !schema && h("p.none", "Its handler does not say what its payload is."),
  );
}

/** Where debuggers attach, or what lets them. @param {FunctionPage} page @param {Debugging} found */
const debuggers = (page, { open, attach }) =>
  open
    ? attach.map((each) =>
        h("span.chip", { title: each.name }, `127.0.0.1:${each.connect?.port ?? each.port}`),
      )
    : button("Debug", "", () => void page.debug(), {
        kind: "small",
        title: "Let a debugger stop what runs from now on, as devbridge dev --debug does",
      });
