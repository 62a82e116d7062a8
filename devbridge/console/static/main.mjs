/** The console: its frame, its pages, its keys, and the one stream of changes. */

import { ApiError, get } from "./api.mjs";
import { ask, help, Toasts } from "./dialogs.mjs";
import { h, isWriting, patch } from "./dom.mjs";
import "./elements/json-editor.mjs";
import "./elements/json-tree.mjs";
import "./elements/log-view.mjs";
import "./elements/usage-plot.mjs";
import "./elements/virtual-rows.mjs";
import { Keys } from "./logic/keys.mjs";
import { routeOf } from "./logic/routes.mjs";
import { FunctionPage } from "./pages/function.mjs";
import { FunctionsPage } from "./pages/functions.mjs";
import { RunPage } from "./pages/run.mjs";
import { RunsPage } from "./pages/runs.mjs";
import { StagePage } from "./pages/stage.mjs";
import { button, empty } from "./parts.mjs";
import { Stream } from "./stream.mjs";

/**
 * @typedef {import("./dom.mjs").Nested} Nested
 * @typedef {{title: string, run?: string, view: () => Nested, start?: () => void, close?: () => void,
 *   told?: (kind: string, data: any) => void, keys?: Record<string, () => void>, ticks?: boolean,
 *   leaves?: () => boolean}} Page what a page is; `leaves` tells whether nothing of one's work is lost
 */

const TABS = [
  ["/functions", "Functions"],
  ["/runs", "Runs"],
  ["/stage", "Stage"],
];
const THEMES = ["system", "light", "dark"];
/** @type {Record<string, string>} */
const STATES = {
  connecting: "Connecting…",
  live: "Live",
  offline: "Offline, trying again…",
  hidden: "Paused",
  closed: "Closed",
};

export class Console {
  constructor() {
    this.top = /** @type {HTMLElement} */ (document.getElementById("top"));
    this.main = /** @type {HTMLElement} */ (document.getElementById("page"));
    this.toasts = new Toasts();
    this.keys = new Keys();
    /** @type {any} */ this.stage = null;
    this.state = "connecting";
    this.frame = 0;
    /** The list of runs lives on while others are looked at: one comes back to it. */
    this.runs = new RunsPage(this);
    /** @type {Page} */ this.page = this.runs;
    this.address = "";
    this.stream = new Stream(
      (kind, data) => this.told(kind, data),
      (state) => this.connected(state),
    );
  }

  begin() {
    document.addEventListener("click", (event) => this.clicked(event));
    document.addEventListener("keydown", (event) => this.pressed(event));
    addEventListener("popstate", () => this.show());
    addEventListener(
      "beforeunload",
      (event) => this.page.leaves?.() === false && event.preventDefault(),
    );
    // What nobody has caught is not silent.
    addEventListener("unhandledrejection", ({ reason }) => this.toasts.say(String(reason), true));
    setInterval(() => this.page.ticks && !document.hidden && this.changed(), 1000);
    setInterval(() => this.changed(), 15_000);
    void this.loadStage();
    this.show();
  }

  get now() {
    return Date.now() / 1000;
  }

  async loadStage() {
    try {
      this.stage = await get("stage");
    } catch (error) {
      if (error instanceof ApiError && (error.status === 401 || error.status === 403))
        this.locked();
    }
    this.changed();
  }

  locked() {
    const said = h(
      "p",
      "Its address is printed by ",
      h("code", "devbridge dev"),
      ", with a key that works once for each browser.",
    );
    this.page = {
      title: "Locked",
      view: () => empty("This browser has no key to the console", said),
    };
  }

  /** @param {string} address @param {{replace?: boolean, quiet?: boolean}} how */
  go(address, { replace = false, quiet = false } = {}) {
    history[replace ? "replaceState" : "pushState"](null, "", address);
    if (quiet) this.address = address;
    else this.show();
  }

  show() {
    const { pathname, search } = location;
    if (pathname === "/") history.replaceState(null, "", "/functions");
    this.page.close?.();
    const route = routeOf(pathname);
    this.address = pathname + search;
    this.page = this.pageOf(route);
    this.page.start?.();
    this.stream.follow(this.page.run ?? "");
    this.main.scrollTop = 0;
    this.main.focus({ preventScroll: true });
    this.render();
  }

  /** @param {import("./logic/routes.mjs").Route} route @returns {Page} */
  pageOf({ page, name }) {
    if (page === "functions") return new FunctionsPage(this);
    if (page === "function") return new FunctionPage(this, name);
    if (page === "runs") return this.runs;
    if (page === "run") return new RunPage(this, name);
    if (page === "stage") return new StagePage(this);
    return {
      title: "Nothing here",
      view: () => empty("There is no such page", h("p", name)),
    };
  }

  /** @param {string} kind @param {any} data */
  told(kind, data) {
    if (kind === "stage" || kind === "reset") void this.loadStage();
    if (this.page !== this.runs) this.runs.told(kind, data);
    this.page.told?.(kind, data);
    this.changed();
  }

  /** @param {string} state */
  connected(state) {
    this.state = state;
    this.changed();
  }

  /** Something is different: it is painted with the next frame. */
  changed() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.render();
    });
  }

  render() {
    const where = this.stage ? `${this.stage.app} ${this.stage.stage}` : "devbridge";
    document.title = `${this.page.title} · ${where}`;
    patch(this.top, this.head());
    patch(this.main, this.page.view());
  }

  head() {
    const { stage, state } = this;
    const { theme, next } = this.themes;
    const here = location.pathname;
    return [
      h(
        "a.brand",
        { href: "/functions", "aria-label": "devbridge" },
        h("img", { src: "/static/icon.svg", alt: "", width: 20, height: 20 }),
      ),
      h(
        "nav",
        { "aria-label": "Pages" },
        TABS.map(([path = "", name = ""]) =>
          h(
            "a",
            {
              href: path,
              "aria-current":
                here === path ? "page" : here.startsWith(`${path}/`) ? "true" : undefined,
            },
            name,
          ),
        ),
      ),
      h(
        "span.stage",
        stage && [
          h("b", stage.app),
          h("span", stage.stage),
          h("span.place", stage.cloud.startsWith("the embedded") ? "embedded cloud" : stage.cloud),
        ],
      ),
      h(
        "span",
        { class: `link ${state}`, role: "status", title: STATES[state] },
        h("i", { "aria-hidden": "true" }),
        h("span", STATES[state] ?? state),
      ),
      button(
        `Theme: ${theme}. Change to ${next} (t)`,
        { light: "sun", dark: "moon" }[theme] ?? "system",
        () => this.paint(next),
        { bare: true },
      ),
      h(
        "button.button.bare",
        { type: "button", title: "Keys (?)", "aria-label": "Keys", onclick: () => void help() },
        h("span.glyph", { "aria-hidden": "true" }, "?"),
      ),
    ];
  }

  /** The theme, and the one that follows it. */
  get themes() {
    const theme = document.documentElement.dataset.theme ?? "system";
    return { theme, next: THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? "system" };
  }

  /** @param {string} name of a theme */
  paint(name) {
    if (name === "system") {
      delete document.documentElement.dataset.theme;
      localStorage.removeItem("devbridge-theme");
    } else {
      document.documentElement.dataset.theme = name;
      localStorage.setItem("devbridge-theme", name);
    }
    this.render();
  }

  /** @param {MouseEvent} event */
  clicked(event) {
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    const special =
      event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || event.button;
    if (!link || special || link.target || link.hasAttribute("download")) return;
    if (
      link.origin !== location.origin ||
      link.pathname.startsWith("/api/") ||
      link.pathname.startsWith("/static/")
    )
      return;
    event.preventDefault();
    this.go(link.pathname + link.search);
  }

  /** @param {KeyboardEvent} event */
  pressed(event) {
    if (event.defaultPrevented || document.querySelector("dialog[open]")) return;
    const writing = isWriting(event.target);
    const name = this.keys.name(event, writing);
    if (!name) return;
    if (name === "Escape" && writing) /** @type {HTMLElement} */ (event.target).blur();
    const act = this.page.keys?.[name] ?? this.own()[name];
    if (!act) return;
    event.preventDefault();
    act();
  }

  /** @returns {Record<string, () => void>} */
  own() {
    return {
      "?": () => void help(),
      "g f": () => this.go("/functions"),
      "g r": () => this.go("/runs"),
      "g s": () => this.go("/stage"),
      t: () => this.paint(this.themes.next),
      "/": () => this.main.querySelector(/** @type {"input"} */ ("input[type=search]"))?.focus(),
      j: () => this.step(1),
      k: () => this.step(-1),
    };
  }

  /** The next of what can be opened on a page gets the focus. @param {number} by */
  step(by) {
    const all = [
      .../** @type {NodeListOf<HTMLElement>} */ (this.main.querySelectorAll("[data-item]")),
    ];
    const at = all.findIndex((each) => each === document.activeElement);
    const next = all[Math.max(0, Math.min(all.length - 1, at < 0 && by < 0 ? 0 : at + by))];
    next?.focus();
    next?.scrollIntoView({ block: "nearest" });
  }

  /**
   * Something that the server does: what it says if it does not.
   * @template T
   * @param {() => Promise<T>} act
   * @param {string} done
   * @returns {Promise<T | null>}
   */
  async act(act, done = "") {
    try {
      const answer = await act();
      if (done) this.toasts.say(done);
      return answer;
    } catch (error) {
      this.toasts.say(error instanceof Error ? error.message : String(error), true);
      return null;
    }
  }

  ask = ask;
}

new Console().begin();
