/** One run: its error first, its attempts, what it was given and has answered, and its log. */

import { get, part, send } from "../api.mjs";
import { h } from "../dom.mjs";
import { LIVE, toSearch } from "../logic/filters.mjs";
import { parse } from "../logic/json.mjs";
import { editPath, functionPath, runPath } from "../logic/routes.mjs";
import { waterfall } from "../logic/waterfall.mjs";
import { duration, moment, short } from "../logic/words.mjs";
import { badge, button, copy, crumbs, failed, loading, panel, since, took } from "../parts.mjs";
import { differences } from "./run/differences.mjs";
import { failure } from "./run/failure.mjs";
import { attempts } from "./run/attempts.mjs";

/** @typedef {import("../main.mjs").Console} Console */
/** @typedef {import("../elements/log-view.mjs").LogView} LogView */
/** @typedef {import("../logic/json.mjs").Node} Node */
/** @typedef {import("./run/failure.mjs").Failure} Failure */
/**
 * @typedef {{run: import("../logic/filters.mjs").Row, history: import("../logic/waterfall.mjs").Step[],
 *   attempts?: (import("../logic/waterfall.mjs").Attempt & {line: number | null})[], payload: string | null, payload_missing: string | null,
 *   result: string | null, result_missing?: string | null, failure: Failure | null, checkpoint: string | null, previous: string | null,
 *   log: {total: number, complete: boolean} | null}} Detail
 */

const USAGE_EVERY = 3000;

export class RunPage {
  /** @param {Console} app @param {string} id */
  constructor(app, id) {
    this.app = app;
    this.run = id;
    this.title = short(id);
    /** @type {Detail | null} */ this.detail = null;
    /** @type {Detail | null} */ this.before = null;
    /** @type {Error | null} */ this.error = null;
    /** @type {[number, number, number][]} */ this.usage = [];
    /** @type {number | null} When the process is killed that was told to end. */
    this.killed = null;
    /** @type {Map<string, Node | null>} What was parsed once. */ this.trees = new Map();
    /** @type {{run: string, attempts: any[], end: any, line: number | null} | null} */ this.log =
      null;
    const line = Number(new URLSearchParams(location.search).get("line"));
    this.line = line > 0 ? line - 1 : null;
    this.loading = false;
    this.again = false;
    this.timer = 0;
    this.keys = {
      j: () => this.beside(1),
      k: () => this.beside(-1),
      r: () => void this.replay(),
      e: () => this.edit(),
      c: () => void this.cancel(),
      n: () => void this.logView?.find(1),
      N: () => void this.logView?.find(-1),
      G: () => this.logView?.toEnd(),
    };
  }

  /** @returns {LogView | null} */
  get logView() {
    return document.querySelector("log-view");
  }

  get ticks() {
    return this.live;
  }

  get live() {
    return this.detail !== null && LIVE.has(this.detail.run.state);
  }

  start() {
    void this.load();
    void this.measure();
  }

  close() {
    clearTimeout(this.timer);
  }

  async load() {
    if (this.loading) {
      this.again = true;
      return;
    }
    this.loading = true;
    try {
      /** @type {Detail} */ const detail = await get(`runs/${part(this.run)}`);
      const { previous } = detail;
      if (previous && this.before?.run.id !== previous) {
        this.before = await get(`runs/${part(previous)}`).catch(() => null);
      }
      this.detail = detail;
      this.title = `${detail.run.job} ${short(this.run)}`;
      this.error = null;
      this.log = {
        run: this.run,
        attempts: detail.attempts ?? [],
        end: detail.log,
        line: this.line,
      };
    } catch (error) {
      this.error = /** @type {Error} */ (error);
    }
    this.loading = false;
    this.app.changed();
    if (this.again) {
      this.again = false;
      void this.load();
    }
  }

  async measure() {
    clearTimeout(this.timer);
    try {
      this.usage = await get(`runs/${part(this.run)}/usage`);
      this.app.changed();
    } catch {
      return; // It is not measured, or nobody is there.
    }
    if (this.live || !this.detail) this.timer = setTimeout(() => void this.measure(), USAGE_EVERY);
  }

  /** @param {string} kind @param {any} data */
  told(kind, data) {
    if (kind === "reset") {
      void this.load();
      void this.measure();
    }
    if (kind === "log") this.logView?.grown(data.total, data.complete);
    if (kind !== "run" || data.id !== this.run) return;
    // The head is right at once; what else has changed is asked for.
    if (this.detail) this.detail = { ...this.detail, run: data };
    if (!LIVE.has(data.state)) void this.measure();
    void this.load();
  }

  async replay() {
    const answer = await this.app.act(() => send("POST", `runs/${part(this.run)}/replay`, {}));
    if (answer?.id) this.app.go(runPath(answer.id));
  }

  edit() {
    if (this.detail) this.app.go(editPath(this.detail.run.job, this.run));
  }

  async cancel() {
    if (!this.live) return;
    const answer = await this.app.act(() => send("POST", `runs/${part(this.run)}/cancel`, {}));
    if (!answer) return;
    this.killed = answer.grace === null ? null : this.app.now + answer.grace;
    if (answer.waits) this.app.toasts.say("It is cancelled by the next `devbridge dev`");
    await this.load();
  }

  /** Back is the list all the same, from whichever run. @param {number} by */
  beside(by) {
    const id = this.app.runs.beside(this.run, by);
    if (id) this.app.go(runPath(id), { replace: true });
  }

  link() {
    return this.app.act(() => copy(location.href), "The link is copied");
  }

  /** @param {string} text */
  tree(text) {
    if (!this.trees.has(text)) this.trees.set(text, parse(text).value);
    return this.trees.get(text) ?? null;
  }

  view() {
    const { detail, error } = this;
    if (!detail)
      return error
        ? failed(error, () => void this.load())
        : [h("div.bar", h("h1", short(this.run))), loading(8)];
    const made = waterfall(detail.history, this.app.now, detail.attempts);
    return [
      this.head(detail),
      h(
        "div.page.run-page",
        h("div.told", failure(detail.failure ?? unsaid(detail)), attempts(made, detail.run)),
        h("div.values", this.values(detail), this.plots()),
        h(
          "section.panel.logs",
          { "aria-label": "Log" },
          h("log-view", {
            ".log": this.log,
            onpointed: (/** @type {CustomEvent} */ event) => this.point(event.detail),
          }),
        ),
      ),
    ];
  }

  /** @param {Detail} detail */
  head(detail) {
    const { run } = detail;
    const { now } = this.app;
    return h(
      "div.bar.run-bar",
      crumbs(`/runs${toSearch(this.app.runs.filters)}`, "Runs"),
      h("h1", h("a", { href: functionPath(run.job) }, run.job), " ", h("code", short(run.id))),
      badge(run.paused ? "PAUSED" : run.state),
      run.paused && h("code.paused", run.paused),
      this.ending(run),
      h(
        "span.num.took",
        { title: `${moment(run.started_at)} to ${moment(run.ended_at)}` },
        took(run, now),
      ),
      h(
        "span.soft",
        run.trigger ? [`${run.trigger}, `] : null,
        since(run.created_at ?? run.started_at, now),
      ),
      h("span.gap"),
      h(
        "div.actions",
        button("Copy link", "link", () => void this.link(), { bare: true }),
        button("Replay", "replay", () => void this.replay(), { key: "r", kind: "small" }),
        button("Edit and replay", "edit", () => this.edit(), { key: "e", kind: "small" }),
        button("Cancel", "stop", () => void this.cancel(), {
          key: "c",
          kind: "small danger",
          disabled: !this.live || run.cancelled,
        }),
      ),
    );
  }

  /** @param {import("../logic/filters.mjs").Row} run */
  ending(run) {
    if (!LIVE.has(run.state) || !run.cancelled) return null;
    const left = this.killed === null ? null : Math.ceil(this.killed - this.app.now);
    const said =
      left === null ? "cancelling…" : left > 0 ? `cancelling, killed in ${left} s` : "being killed";
    return h("span.chip.warn", { role: "status" }, said);
  }

  plots() {
    if (!this.usage.length) return null;
    return panel("Processor and memory", null, h("usage-plot", { ".samples": this.usage }));
  }

  /** @param {Detail} detail */
  values(detail) {
    const { before } = this;
    const [payload, result, checkpoint] = [detail.payload, detail.result, detail.checkpoint].map(
      (text) => (text === null ? null : this.tree(text)),
    );
    const [oldPayload, oldResult] = [before?.payload, before?.result].map((text) =>
      text ? this.tree(text) : null,
    );
    return [
      panel(
        "Payload",
        null,
        payload
          ? h("json-tree", { ".value": payload })
          : h("p.none", detail.payload_missing ?? "There is none."),
      ),
      result
        ? panel("Result", null, h("json-tree", { ".value": result }))
        : detail.result_missing && panel("Result", null, h("p.none", detail.result_missing)),
      checkpoint && panel("Checkpoint", null, h("json-tree", { ".value": checkpoint })),
      before &&
        differences(
          before.run,
          [
            ["Payload", oldPayload ?? null, payload ?? null],
            // A run that has none yet, or has failed, has not changed it.
            ["Result", (result && oldResult) ?? null, (oldResult && result) ?? null],
          ],
          this.app.now,
        ),
    ];
  }

  /** A line of the log that is pointed at is part of the address. @param {number} line */
  point(line) {
    this.line = line;
    this.app.go(`${runPath(this.run)}?line=${line + 1}`, { replace: true, quiet: true });
  }
}

/** Who was stopped has said nothing of it. @param {Detail} detail @returns {Failure | null} */
function unsaid({ run, attempts }) {
  const last = attempts?.at(-1);
  if (run.state !== "TIMED_OUT" || !last?.started_at || !last.ended_at) return null;
  const time = duration(last.ended_at - last.started_at);
  const message = `It was stopped after ${time}: its job's timeout.`;
  return { type: "Timed out", message, frames: [] };
}
