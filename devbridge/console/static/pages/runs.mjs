/** Runs: the list, live, with its filters in the address. */

import { get, part, send } from "../api.mjs";
import { h } from "../dom.mjs";
import { asked, described, fromSearch, LIVE, none, STATES, toSearch } from "../logic/filters.mjs";
import { RunList } from "../logic/runs.mjs";
import { Scrolling } from "../logic/scrolling.mjs";
import { editPath, functionPath, runPath } from "../logic/routes.mjs";
import { count, plural } from "../logic/words.mjs";
import { button, empty, failed, loading } from "../parts.mjs";
import { filterBar } from "./runs/bar.mjs";
import { runRow } from "./runs/row.mjs";

/** @typedef {import("../main.mjs").Console} Console */
/** @typedef {import("../logic/filters.mjs").Filters} Filters */
/** @typedef {import("../logic/filters.mjs").Row} Row */
/** @typedef {import("../elements/virtual-rows.mjs").VirtualRows} VirtualRows */

const PAGE = 100;
export class RunsPage {
  /** @param {Console} app */
  constructor(app) {
    this.app = app;
    this.title = "Runs";
    this.ticks = true;
    this.list = new RunList();
    /** One comes back to the rows that one has left. */
    this.scrolling = new Scrolling(32);
    /** @type {Filters} */ this.filters = none();
    this.loaded = "";
    /** @type {Error | null} */ this.error = null;
    this.loading = false;
    this.deaf = true;
    /** @type {string[]} */ this.jobs = [];
    /** @type {string[]} */ this.triggers = [];
    this.chosen = "";
    this.timer = 0;
    /** @type {AbortController | null} */ this.request = null;
    this.inLogs = false;
    this.keys = {
      j: () => this.step(1),
      k: () => this.step(-1),
      ArrowDown: () => this.step(1),
      ArrowUp: () => this.step(-1),
      Enter: () => this.open(),
      r: () => void this.replay(),
      c: () => void this.cancel(),
      e: () => this.edit(),
    };
  }

  start() {
    this.filters = fromSearch(location.search);
    this.inLogs = this.filters.log !== "";
    // One comes back to the list as one has left it, unless something was missed.
    if (this.loaded !== toSearch(this.filters) || this.deaf) void this.load();
    this.deaf = false;
    void this.names();
  }

  async names() {
    /** @type {import("./functions.mjs").Fn[]} */ const all = await get("functions").catch(
      () => [],
    );
    this.jobs = all.filter((each) => each.kind === "job").map((each) => each.name);
    this.triggers = [...new Set(all.flatMap((each) => each.triggers))];
    this.app.changed();
  }

  async load() {
    this.request?.abort();
    const request = new AbortController();
    this.request = request;
    const search = toSearch(this.filters);
    const anew = search !== this.loaded;
    this.loading = true;
    this.app.changed();
    try {
      const answer = await get(
        "runs",
        { ...asked(this.filters, this.app.now), limit: PAGE },
        request.signal,
      );
      this.list.filled(answer);
      this.loaded = search;
      this.error = null;
      if (anew) (this.rows ?? this.scrolling).reveal(0);
    } catch (error) {
      if (request.signal.aborted) return;
      this.error = /** @type {Error} */ (error);
    }
    this.loading = false;
    this.app.changed();
  }

  async more() {
    const { after } = this.list;
    if (!after || this.loading) return;
    this.loading = true;
    const search = this.loaded;
    const answer = await this.app.act(() =>
      get("runs", { ...asked(this.filters, this.app.now), limit: PAGE, after }),
    );
    if (answer && search === this.loaded) this.list.more(answer);
    else if (!answer) this.list.after = null; // not asked again with each row that is seen
    this.loading = false;
    this.app.changed();
  }

  /** @param {string} kind @param {any} data */
  told(kind, data) {
    if (kind === "reset") {
      this.deaf = true;
      if (this.app.page === this) void this.load();
    }
    if (kind === "functions" && this.app.page === this) void this.names();
    if (kind !== "run") return;
    this.list.told(data, this.filters, this.app.now, this.held);
    // The server alone can search: it is asked once a second at most.
    if (!this.list.stale || this.timer || this.app.page !== this) return;
    this.timer = setTimeout(() => {
      this.timer = 0;
      if (this.list.stale && !this.held) void this.load();
    }, 1000);
  }

  /** Somebody reads further down, or has a row in hand. */
  get held() {
    return this.scrolling.top > 4 || Boolean(this.rows?.matches(":hover, :focus-within"));
  }

  /** @returns {VirtualRows | null} */
  get rows() {
    return this.app.page === this ? document.querySelector("virtual-rows.runs") : null;
  }

  release() {
    if (this.list.stale) void this.load();
    this.list.release();
    this.rows?.reveal(0);
    this.app.changed();
  }

  /** @param {Partial<Filters>} some @param {boolean} replace */
  filter(some, replace = false) {
    this.filters = { ...this.filters, ...some };
    this.app.go(`/runs${toSearch(this.filters)}`, { replace, quiet: true });
    void this.load();
  }

  /** @param {string} text */
  search(text) {
    this.filters = { ...this.filters, text: this.inLogs ? "" : text, log: this.inLogs ? text : "" };
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.timer = 0;
      this.filter({}, true);
    }, 200);
  }

  /** The run that a key is for: the one with the focus. @returns {Row | undefined} */
  get picked() {
    return this.list.rows.find((row) => row.id === this.chosen);
  }

  /** @param {number} by */
  step(by) {
    const { rows } = this.list;
    const at = rows.findIndex((row) => row.id === this.chosen);
    const next = Math.max(0, Math.min(rows.length - 1, at < 0 ? 0 : at + by));
    this.chosen = rows[next]?.id ?? "";
    this.rows?.reveal(next);
    const row = this.rows?.querySelector(`[data-id="${CSS.escape(this.chosen)}"]`);
    if (row instanceof HTMLElement) row.focus({ preventScroll: true });
    this.app.changed();
  }

  /** The run after or before another one. @param {string} id @param {number} by */
  beside(id, by) {
    const at = this.list.rows.findIndex((row) => row.id === id);
    const row = at < 0 ? undefined : this.list.rows[at + by];
    if (!row) return "";
    if (at + by > this.list.rows.length - 30) void this.more();
    this.scrolling.reveal(at + by);
    return (this.chosen = row.id);
  }

  open() {
    if (this.chosen) this.app.go(runPath(this.chosen));
  }

  async replay() {
    const run = this.picked;
    if (!run) return;
    const answer = await this.app.act(
      () => send("POST", `runs/${part(run.id)}/replay`, {}),
      `${run.job} runs again`,
    );
    if (answer?.id) this.app.go(runPath(answer.id));
  }

  edit() {
    const run = this.picked;
    if (run) this.app.go(editPath(run.job, run.id));
  }

  async cancel() {
    const run = this.picked;
    if (!run || !LIVE.has(run.state)) return;
    const yes = await this.app.ask(
      `Cancel this run of ${run.job}?`,
      h("p", h("code", run.payload)),
      { yes: "Cancel the run", kind: "danger" },
    );
    if (yes)
      await this.app.act(
        () => send("POST", `runs/${part(run.id)}/cancel`, {}),
        "It is being cancelled",
      );
  }

  /** All runs of the filters, after their count was seen. @param {"replay" | "cancel"} action */
  async bulk(action) {
    const filter = asked({ ...this.filters, log: "" }, this.app.now);
    const numbers = {
      ...(filter.since && { since: Number(filter.since) }),
      ...(filter.until && { until: Number(filter.until) }),
    };
    const body = { action, filter: { ...filter, ...numbers } };
    const found = await this.app.act(() => send("POST", "bulk", body));
    if (!found) return;
    const verb = action === "replay" ? "Replay" : "Cancel";
    if (!found.count) {
      this.app.toasts.say(action === "cancel" ? "None of these runs is live" : "There is none");
      return;
    }
    const which = h("p", described(this.filters, found.count), ".");
    const yes = await this.app.ask(`${verb} ${plural(found.count, "run")}?`, which, {
      yes: `${verb} ${count(found.count)}`,
      kind: action === "cancel" ? "danger" : "main",
    });
    if (!yes) return;
    const done = await this.app.act(() => send("POST", "bulk", { ...body, count: found.count }));
    if (!done) return;
    const [first] = done.failed;
    const said = `${plural(done.done ?? 0, "run")} ${action === "replay" ? "replayed" : "cancelled"}`;
    this.app.toasts.say(
      first ? `${said}; ${done.failed.length} not: ${first.message}` : said,
      Boolean(first),
    );
    void this.load();
  }

  view() {
    return [this.head(), filterBar(this), this.body()];
  }

  head() {
    const { total } = this.list;
    const known = this.loaded === toSearch(this.filters);
    const inLogs = this.filters.log !== "";
    const many = {
      kind: "small",
      disabled: !total || inLogs,
      title: inLogs ? "Not of what was found in logs" : undefined,
    };
    return h(
      "div.bar",
      h("h1", "Runs"),
      h(
        "span.count",
        { role: "status" },
        !known ? "" : total === null ? `${count(this.list.rows.length)}+` : count(total),
      ),
      h("span.gap"),
      button("Replay all…", "replay", () => void this.bulk("replay"), many),
      button("Cancel all…", "stop", () => void this.bulk("cancel"), many),
    );
  }

  where() {
    this.inLogs = !this.inLogs;
    const text = this.filters.text || this.filters.log;
    if (text) this.filter({ text: this.inLogs ? "" : text, log: this.inLogs ? text : "" });
    this.app.changed();
  }

  /** @param {string} state */
  toggle(state) {
    const all = this.filters.state.includes(state)
      ? this.filters.state.filter((each) => each !== state)
      : [...this.filters.state, state];
    this.filter({ state: STATES.filter((each) => all.includes(each)) });
  }

  clear() {
    this.inLogs = false;
    this.filter(none());
  }

  body() {
    const { list, error } = this;
    if (error && !list.rows.length) return failed(error, () => void this.load());
    if (this.loaded !== toSearch(this.filters) && !list.rows.length) return loading(12);
    if (!list.rows.length && !list.waiting.length && !this.loading) return this.none();
    const fresh = list.waiting.length + Number(list.stale);
    return h(
      "div",
      { class: `runs-box ${this.loading && this.loaded !== toSearch(this.filters) ? "old" : ""}` },
      h(
        "div.run.head",
        { "aria-hidden": "true" },
        ["State", "Job", "Payload", "Trigger", "Attempt", "Started", "Took"].map((title) =>
          h("span", title),
        ),
      ),
      h("virtual-rows.runs", {
        role: "list",
        "aria-label": "Runs",
        ".model": {
          total: list.rows.length,
          height: innerWidth < 720 ? 58 : 32,
          follow: false,
          scrolling: this.scrolling,
          draw: (/** @type {number} */ index) => this.row(index),
          seen: (/** @type {number} */ first, /** @type {number} */ many) =>
            first + many > list.rows.length - 30 && void this.more(),
        },
      }),
      h(
        "button",
        { type: "button", class: "fresh", hidden: !fresh, onclick: () => this.release() },
        list.waiting.length
          ? `${plural(list.waiting.length, "new run")} ↑`
          : "There is something new ↑",
      ),
    );
  }

  none() {
    if (toSearch(this.filters))
      return empty(
        "No run is like that",
        button("Clear the filters", "", () => this.clear()),
      );
    const [job] = this.jobs;
    const where = job
      ? h("p", h("a.button.main", { href: functionPath(job) }, `Invoke ${job}`))
      : null;
    return empty(
      "Nothing has run yet",
      h("p", "Each run appears here as soon as something asks for it."),
      where,
    );
  }

  /** @param {number} index */
  row(index) {
    const row = this.list.rows[index];
    const choose = () => {
      this.chosen = row?.id ?? "";
    };
    if (!row) return null;
    const chosen = row.id === this.chosen;
    return runRow(row, this.app.now, chosen, chosen || (!index && !this.picked), choose);
  }
}
