/** One function: its payload is written here, and it is invoked. */

import { ApiError, get, paced, part, send } from "../api.mjs";
import { askText } from "../dialogs.mjs";
import { h, value } from "../dom.mjs";
import { at, format, parse, steps } from "../logic/json.mjs";
import { runPath } from "../logic/routes.mjs";
import { blank } from "../logic/schema.mjs";
import { short } from "../logic/words.mjs";
import { button, crumbs, failed, loading } from "../parts.mjs";
import { facts, lately } from "./function/facts.mjs";
import { stock } from "./function/stock.mjs";
import { broken } from "./functions.mjs";

/** @typedef {import("../main.mjs").Console} Console */
/** @typedef {import("./functions.mjs").Fn} Fn */
/** @typedef {import("../elements/json-editor.mjs").JsonEditor} JsonEditor */
/** @typedef {{name: string, payload: string, trigger?: string | null}} Named */
/** @typedef {{recent: {id: string, at: number | null, payload: string}[], saved: Named[], samples: Named[]}} Payloads */

/** @typedef {import("./function/facts.mjs").Debugging} Debugging */

/** What was written and not sent, of each function: nothing is lost by looking at another page. @type {Map<string, string>} */
const drafts = new Map();

export class FunctionPage {
  /** @param {Console} app @param {string} name */
  constructor(app, name) {
    this.app = app;
    this.name = name;
    this.title = name;
    this.from = new URLSearchParams(location.search).get("replay");
    /** @type {Fn | null} */ this.fn = null;
    /** @type {Payloads} */ this.payloads = { recent: [], saved: [], samples: [] };
    /** @type {Error | null} */ this.error = null;
    /** @type {string | null} */ this.first = null;
    this.key = "";
    this.trigger = "";
    this.shown = "recent";
    this.sending = false;
    /** @type {Debugging | null} */ this.debugging = null;
    this.soon = paced(() => this.recent());
    /** The server has said that the handler does not declare this payload. */
    this.unlike = false;
    this.keys = { "ctrl+Enter": () => void this.invoke(), i: () => this.editor?.area.focus() };
  }

  /** @returns {JsonEditor | null} */
  get editor() {
    return document.querySelector("json-editor");
  }

  start() {
    void this.load();
  }

  close() {
    const { editor } = this;
    if (editor && editor.text !== this.first) drafts.set(this.name, editor.text);
  }

  leaves() {
    return !this.editor || this.editor.text === this.first;
  }

  async load() {
    try {
      /** @type {Fn[]} */ const all = await get("functions");
      this.fn = all.find((each) => each.name === this.name) ?? null;
      if (!this.fn)
        this.error = new ApiError(404, {
          message: `There is no function ${this.name} in this stage.`,
        });
      else this.error = null;
      if (this.fn?.live) this.debugging = await get("debug");
      if (this.fn?.kind === "job") {
        this.payloads = await get(`payloads/${part(this.name)}`).catch(() => this.payloads);
      }
      if (this.first === null && this.fn) await this.begin(this.fn);
    } catch (error) {
      this.error = /** @type {Error} */ (error);
    }
    this.app.changed();
  }

  /** What stands in the editor at first. @param {Fn} fn */
  async begin(fn) {
    if (this.from) {
      const run = await get(`runs/${part(this.from)}`);
      this.first = tidy(run.payload ?? "{}");
      return;
    }
    const [recent] = this.payloads.recent;
    const made = fn.schema ? blank(fn.schema, fn.schema) : "{}";
    this.first = drafts.get(this.name) ?? tidy(recent?.payload ?? (made || "{}"));
    drafts.delete(this.name);
  }

  /** @param {string} kind */
  told(kind) {
    if (["functions", "reset"].includes(kind)) void this.load();
    if (kind === "run") this.soon();
  }

  async recent() {
    /** @type {Fn[]} */ const all = await get("functions").catch(() => []);
    this.fn = all.find((each) => each.name === this.name) ?? this.fn;
    this.app.changed();
  }

  async invoke(check = true) {
    const { editor } = this;
    if (!editor || this.sending || this.fn?.kind !== "job") return;
    if (editor.parsed.value === null) {
      const [problem] = editor.found;
      if (problem) editor.go(problem);
      return;
    }
    this.sending = true;
    this.unlike = false;
    this.app.changed();
    const payload = editor.text;
    try {
      const answer = this.from
        ? await send("POST", `runs/${part(this.from)}/replay`, { payload, check })
        : await send("POST", "runs", {
            job: this.name,
            payload,
            key: this.key || null,
            trigger: this.trigger || null,
            check,
          });
      this.first = payload;
      if (answer.duplicate) this.app.toasts.say(`${this.key} has started this run before`);
      if (answer.note) this.app.toasts.say(answer.note);
      if (answer.id) this.app.go(runPath(answer.id));
      else this.app.go(`/runs?job=${encodeURIComponent(this.name)}`);
    } catch (error) {
      this.refused(editor, /** @type {Error} */ (error));
    }
    this.sending = false;
    this.app.changed();
  }

  /** The server's no is shown where it belongs, if it says where. @param {JsonEditor} editor @param {Error} error */
  refused(editor, error) {
    const told = error instanceof ApiError ? error.told : null;
    // What the handler does not declare may be sent all the same: one may want to see what it does.
    this.unlike = told?.type === "PayloadInvalid";
    const node = told?.path ? at(editor.parsed.value, steps(told.path)) : null;
    if (node) editor.refuse({ from: node.from, to: node.to, message: told?.message ?? "" });
    else this.app.toasts.say(error.message, true);
  }

  /** Workers that come from now on are open to debuggers. */
  async debug() {
    this.debugging = (await this.app.act(() => send("POST", "debug"))) ?? this.debugging;
    this.app.changed();
  }

  typed() {
    this.unlike = false;
    this.app.changed();
  }

  async save() {
    const { editor } = this;
    if (!editor) return;
    const name = await askText("Save this payload", "Name", "Save");
    if (!name) return;
    const path = `payloads/${part(this.name)}/${part(name)}`;
    await this.app.act(() => send("PUT", path, { payload: editor.text }), `Saved as ${name}`);
    this.shown = "saved";
    await this.load();
  }

  /** @param {string} name */
  async forget(name) {
    const yes = await this.app.ask(
      `Delete the payload ${name}?`,
      h("p", "Its file in the app's folder is deleted."),
      { yes: "Delete", kind: "danger" },
    );
    if (!yes) return;
    await this.app.act(() => send("DELETE", `payloads/${part(this.name)}/${part(name)}`));
    await this.load();
  }

  /** @param {string} text @param {string | null | undefined} trigger */
  use(text, trigger = null) {
    this.editor?.replace(tidy(text));
    this.trigger = trigger ?? "";
    this.app.changed();
  }

  view() {
    const { fn, error } = this;
    if (error && (!fn || this.first === null)) return failed(error, () => void this.load());
    if (!fn || this.first === null) return [this.head({ name: this.name, handler: "" }), loading(4)];
    return [
      this.head(fn),
      h(
        "div.page.function",
        fn.broken && h("div.panel.bad", broken(fn.broken)),
        fn.kind === "job"
          ? this.work(fn)
          : lately(fn, this.app.now),
        h(
          "aside",
          fn.kind === "job" && [stock(this), lately(fn, this.app.now)],
          facts(this, fn),
        ),
      ),
    ];
  }

  /** @param {{name: string, handler: string}} fn */
  head(fn) {
    return h(
      "div.bar",
      crumbs("/functions", "Functions"),
      h("h1", fn.name),
      h("code.handler", fn.handler),
    );
  }

  /** @param {Fn} fn */
  work(fn) {
    const said = this.from
      ? ["Replays ", h("a", { href: runPath(this.from) }, short(this.from)), " with this payload"]
      : "Payload";
    return h(
      "section.panel.work",
      { "aria-label": "Invoke" },
      h(
        "header",
        h("h2", said),
        button("Tidy", "", () => this.editor?.tidy(), { kind: "small" }),
        button("Save as…", "", () => void this.save(), { kind: "small" }),
      ),
      h("json-editor", {
        key: this.name,
        ".schema": this.trigger ? null : fn.schema,
        ".initial": this.first ?? "",
        oninput: () => this.typed(),
      }),
      h(
        "div.send",
        !this.from && this.options(fn),
        h("span.gap"),
        this.unlike && button("Send it all the same", "", () => void this.invoke(false)),
        h(
          "button.button.main",
          { type: "button", disabled: this.sending, onclick: () => void this.invoke() },
          this.from ? "Replay" : "Invoke",
          h("kbd", { "aria-hidden": "true" }, "Ctrl ↵"),
        ),
      ),
    );
  }

  /** @param {Fn} fn */
  options(fn) {
    return [
      fn.triggers.length > 0 &&
        h(
          "label.field",
          "Send as",
          h(
            "select",
            {
              ".value": this.trigger,
              onchange: value((text) => {
                this.trigger = text;
                this.app.changed();
              }),
            },
            h("option", { value: "" }, "a plain payload"),
            fn.triggers.map((name) => h("option", { value: name }, `an event of ${name}`)),
          ),
        ),
      h(
        "label.field",
        { title: "With the same key no second run is started" },
        "Idempotency key",
        h("input", {
          type: "text",
          placeholder: "none",
          spellcheck: "false",
          ".value": this.key,
          oninput: value((text) => {
            this.key = text.trim();
          }),
        }),
      ),
    ];
  }

  /** @param {string} name */
  show(name) {
    this.shown = name;
    this.app.changed();
  }
}

/** @param {string} text */
function tidy(text) {
  const { value } = parse(text);
  return value ? format(value) : text;
}
