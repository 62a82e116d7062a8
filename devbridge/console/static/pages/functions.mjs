/** Functions: what the stage is made of that runs, and how it has gone lately. */

import { get, paced } from "../api.mjs";
import { h } from "../dom.mjs";
import { rates } from "../logic/plots.mjs";
import { editorLink, functionPath } from "../logic/routes.mjs";
import { duration } from "../logic/words.mjs";
import { empty, failed, icon, line, loading, search, since, spark } from "../parts.mjs";

/** @typedef {import("../main.mjs").Console} Console */

/**
 * @typedef {{type: string, message: string, file: string | null, line: number | null, column: number | null,
 *   text: string | null, told: string}} Broken
 * @typedef {{id: string, state: string, started_at: number | null, seconds: number | null, error: string | null}} Last
 * @typedef {{name: string, kind: "job" | "function", handler: string, compute: string, triggers: string[],
 *   schema: any, timeout: number | null, live: boolean, broken: Broken | null, recent: Last[],
 *   last_error: string | null}} Fn
 */

export class FunctionsPage {
  /** @param {Console} app */
  constructor(app) {
    this.app = app;
    this.title = "Functions";
    /** @type {Fn[] | null} */ this.all = null;
    /** @type {Error | null} */ this.error = null;
    this.wanted = "";
    this.soon = paced(() => this.load());
    this.keys = { i: () => this.invoke() };
  }

  start() {
    void this.load();
  }

  async load() {
    try {
      this.all = await get("functions");
      this.error = null;
    } catch (error) {
      this.error = /** @type {Error} */ (error);
    }
    this.app.changed();
  }

  /** @param {string} kind */
  told(kind) {
    if (["run", "functions", "reset"].includes(kind)) this.soon();
  }

  invoke() {
    const row = document.activeElement?.closest("[data-name]");
    if (row instanceof HTMLElement && row.dataset.name) this.app.go(functionPath(row.dataset.name));
  }

  view() {
    const { all, error } = this;
    if (!all) return [this.head(), error ? failed(error, () => void this.load()) : loading(6)];
    const shown = all.filter((each) =>
      `${each.name} ${each.handler}`.toLowerCase().includes(this.wanted.toLowerCase()),
    );
    const jobs = shown.filter((each) => each.kind === "job");
    const functions = shown.filter((each) => each.kind === "function");
    if (!all.length) {
      return [
        this.head(),
        empty(
          "This app has no jobs and no functions yet",
          h("p", "Add a ", h("code", "Job"), " to app.py: it appears here when it is saved."),
        ),
      ];
    }
    return [
      this.head(),
      h(
        "div.page.functions",
        this.list("Jobs", jobs),
        this.list("API functions", functions),
        !shown.length && empty("Nothing has that name"),
      ),
    ];
  }

  head() {
    return h(
      "div.bar",
      h("h1", "Functions"),
      search("Search functions", "Name or handler", this.wanted, (text) => this.look(text)),
    );
  }

  /** @param {string} text */
  look(text) {
    this.wanted = text;
    this.app.changed();
  }

  /** @param {string} title @param {Fn[]} list */
  list(title, list) {
    if (!list.length) return null;
    return h(
      "section",
      { "aria-label": title, key: title },
      h("h2.group", title, h("span.count", list.length)),
      h(
        "ul.rows.fns",
        list.map((each) => this.row(each)),
      ),
    );
  }

  /** @param {Fn} fn */
  row(fn) {
    const { success, median, ended } = rates(fn.recent);
    const [last] = fn.recent;
    const percent = success === null ? "" : `${Math.round(success * 100)} %`;
    return h(
      "li",
      { class: `fn ${fn.broken ? "broken" : ""}`, key: fn.name, "data-name": fn.name },
      h(
        "div.who",
        icon(fn.kind),
        h("a", { href: functionPath(fn.name), "data-item": "", class: "name" }, fn.name),
        h("span.handler", fn.handler),
      ),
      h(
        "div.what",
        h("span.compute", fn.compute),
        fn.triggers.map((text) => h("span.chip", text)),
      ),
      h("div.chart", fn.kind === "job" || fn.recent.length ? spark(fn.recent) : null),
      h(
        "div.rate",
        { title: ended ? `Of the last ${ended} runs` : "" },
        h(
          "b",
          { class: success === null ? "" : success === 1 ? "ok" : success < 0.8 ? "bad" : "warn" },
          percent || "–",
        ),
        h("small", median === null ? "" : duration(median)),
      ),
      h(
        "div.last",
        fn.last_error ? h("span.error", { title: fn.last_error }, line(fn.last_error)) : null,
        h("small", last ? since(last.started_at, this.app.now) : "has not run yet"),
      ),
      fn.kind === "job" &&
        h("a.button.invoke", { href: functionPath(fn.name), tabindex: -1 }, icon("play"), "Invoke"),
      fn.broken && broken(fn.broken),
    );
  }
}

/**
 * Why a handler cannot be loaded, with the place in its file.
 * @param {Broken} why
 */
export function broken(why) {
  const where = why.file ? `${why.file}${why.line ? `:${why.line}` : ""}` : "";
  const link = why.file ? editorLink(why.file, why.line) : null;
  const caret = why.column ? `${" ".repeat(Math.max(0, why.column - 1))}^` : "";
  return h(
    "div.why",
    { role: "note" },
    h("p", h("b", why.type), `: ${why.message}`),
    where && h("p", link ? h("a", { href: link }, where) : where),
    why.text ? h("pre", why.text, caret && `\n${caret}`) : null,
  );
}
