/**
 * A text area for JSON, with colours below it, the first problem at its place, and what the schema
 * knows. The browser's own undo stays whole, for all is written as if it were typed; Tab leaves the
 * field, and completes only while proposals are open.
 */

import { h, patch } from "../dom.mjs";
import { format, parse, place } from "../logic/json.mjs";
import { contextAt } from "../logic/context.mjs";
import { aboutPlace, problems, proposals, told } from "../logic/schema.mjs";

/** @typedef {import("../logic/json.mjs").Problem} Problem */
/** @typedef {import("../logic/schema.mjs").Proposal} Proposal */

const TALLEST = 12;

export class JsonEditor extends HTMLElement {
  constructor() {
    super();
    /** @type {Record<string, any> | null} */ this.known = null;
    this.initial = "";
    this.label = "Payload";
    /** @type {Problem | null} What the server has said of this very text. */ this.refused = null;
    this.area = document.createElement("textarea");
    this.under = document.createElement("pre");
    this.gutter = document.createElement("div");
    this.list = document.createElement("div");
    this.tip = document.createElement("div");
    this.foot = document.createElement("div");
    /** @type {Proposal[]} */ this.offered = [];
    this.chosen = 0;
    /** @type {ReturnType<typeof parse>} */ this.parsed = parse("{}");
    /** @type {Problem[]} */ this.found = [];
  }

  connectedCallback() {
    if (this.area.isConnected) return;
    const { area, under, gutter, list, tip, foot } = this;
    under.setAttribute("aria-hidden", "true");
    gutter.setAttribute("aria-hidden", "true");
    gutter.className = "gutter";
    foot.className = "foot";
    foot.setAttribute("aria-live", "polite");
    foot.id = "payload-said";
    list.className = "offers";
    list.id = "payload-offers";
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", "Completions");
    tip.className = "tip";
    tip.hidden = list.hidden = true;
    for (const [name, value] of Object.entries({
      spellcheck: "false",
      autocomplete: "off",
      autocapitalize: "off",
      wrap: "off",
      "aria-label": this.label,
      "aria-describedby": foot.id,
      "aria-controls": list.id,
      "aria-haspopup": "listbox",
    })) {
      area.setAttribute(name, value);
    }
    area.value = this.initial;
    const box = document.createElement("div");
    box.className = "box";
    box.append(gutter, under, area, list, tip);
    this.append(box, foot);
    area.addEventListener("input", (event) => this.typed(/** @type {InputEvent} */ (event)));
    area.addEventListener("keydown", (event) => this.pressed(event));
    area.addEventListener("scroll", () => this.follow());
    area.addEventListener("blur", () => this.offer([]));
    area.addEventListener("mousemove", (event) => this.hover(event));
    area.addEventListener("mouseleave", () => this.hide());
    area.addEventListener("click", () => this.offer([]));
    document.addEventListener("selectionchange", this);
    this.check();
  }

  disconnectedCallback() {
    document.removeEventListener("selectionchange", this);
  }

  handleEvent() {
    if (document.activeElement === this.area) this.tell();
  }

  /** What the text should be; null: nobody knows. @param {Record<string, any> | null} schema */
  set schema(schema) {
    this.known = schema;
    if (this.area.isConnected) this.check();
  }

  get text() {
    return this.area.value;
  }

  /** The text may be sent. */
  get valid() {
    return this.parsed.value !== null && !this.found.some((problem) => !problem.warning);
  }

  /** Another text, which undo takes back. @param {string} text */
  replace(text) {
    this.area.focus();
    this.area.select();
    write(text);
    this.area.setSelectionRange(0, 0);
    this.offer([]);
  }

  /** The text in lines, indented. */
  tidy() {
    if (this.parsed.value) this.replace(format(this.parsed.value));
  }

  /** The server has not taken it. @param {Problem} problem */
  refuse(problem) {
    this.refused = problem;
    this.check();
  }

  check() {
    const { text, known: schema } = this;
    this.parsed = parse(text);
    const { value } = this.parsed;
    this.found = [...this.parsed.problems, ...(value ? problems(value, schema, schema ?? {}) : [])];
    if (this.refused && value) this.found.unshift(this.refused);
    this.draw();
    this.tell();
  }

  draw() {
    const { text } = this;
    const bad = this.found.map((problem) => ({ ...problem, ...shown(text, problem) }));
    const ends = new Set([
      0,
      text.length,
      ...this.parsed.tokens.flatMap((token) => [token.from, token.to]),
    ]);
    for (const { from, to } of bad) ends.add(from).add(to);
    const cuts = [...ends].sort((one, other) => one - other);
    let next = 0;
    const pieces = cuts.slice(0, -1).map((from, index) => {
      const to = cuts[index + 1] ?? from;
      while ((this.parsed.tokens[next]?.to ?? Infinity) <= from) next += 1;
      const token = this.parsed.tokens[next];
      const kind =
        token && token.from <= from && token.to >= to ? (token.key ? "key" : token.type) : "";
      const wrong = bad.find((each) => each.from <= from && each.to >= to);
      const name = /\w/.test(kind) ? `j-${kind}` : "";
      const classes = `${name} ${wrong ? (wrong.warning ? "odd" : "wrong") : ""}`.trim();
      return classes ? h("span", { class: classes }, text.slice(from, to)) : text.slice(from, to);
    });
    patch(this.under, pieces, "\n");
    const marked = new Set(
      bad.filter((each) => !each.warning).map((each) => place(text, each.from).line),
    );
    const lines = text.split("\n").length;
    patch(
      this.gutter,
      Array.from({ length: lines }, (_, index) =>
        h("span", { class: marked.has(index + 1) ? "wrong" : "" }, index + 1),
      ),
    );
    this.follow();
  }

  follow() {
    const { scrollLeft, scrollTop } = this.area;
    this.under.style.transform = `translate(${-scrollLeft}px, ${-scrollTop}px)`;
    this.gutter.style.transform = `translateY(${-scrollTop}px)`;
  }

  /** What is wrong, or else what is known of the place of the caret. */
  tell() {
    const [problem] = this.found;
    const known = aboutPlace(this.known, this.text, this.area.selectionStart);
    this.area.setAttribute("aria-invalid", String(!this.valid));
    patch(
      this.foot,
      problem
        ? h(
            "button",
            {
              class: problem.warning ? "odd" : "wrong",
              type: "button",
              onclick: () => this.go(problem),
            },
            told(this.text, problem),
          )
        : h("span.good", "Valid"),
      known &&
        h(
          "span.known",
          h("code", known.path),
          ` ${known.type}`,
          known.about && ` — ${known.about}`,
        ),
    );
  }

  /** @param {Problem} problem */
  go(problem) {
    this.area.focus();
    this.area.setSelectionRange(problem.from, problem.to);
  }

  /** @param {InputEvent} event */
  typed(event) {
    this.refused = null;
    this.check();
    const { data, inputType } = event;
    const wanted = inputType === "insertText" && data && /["\w]/.test(data);
    if (wanted || (this.offered.length && inputType.startsWith("delete"))) this.propose();
    else this.offer([]);
  }

  propose() {
    const { selectionStart, selectionEnd } = this.area;
    if (selectionStart !== selectionEnd) return;
    this.offer(proposals(this.known, contextAt(this.text, selectionStart)).slice(0, TALLEST));
  }

  /** @param {Proposal[]} found */
  offer(found) {
    const context = contextAt(this.text, this.area.selectionStart);
    const [only] = found;
    // What is written in full already needs no proposal.
    this.offered = found.length === 1 && only && context.typed === only.insert ? [] : found;
    this.chosen = 0;
    this.drawOffers(context.from);
  }

  /** @param {number} from */
  drawOffers(from) {
    const { list, area } = this;
    list.hidden = this.offered.length === 0;
    area.setAttribute("aria-expanded", String(!list.hidden));
    if (list.hidden) {
      area.removeAttribute("aria-activedescendant");
      return;
    }
    area.setAttribute("aria-activedescendant", `offer-${this.chosen}`);
    patch(
      list,
      this.offered.map((each, index) =>
        h(
          "div",
          {
            role: "option",
            id: `offer-${index}`,
            "aria-selected": String(index === this.chosen),
            onmousedown: (/** @type {Event} */ event) => {
              event.preventDefault();
              this.take(index);
            },
          },
          h("span.label", each.label),
          h("span.detail", each.detail),
          each.about && index === this.chosen && h("span.about", each.about),
        ),
      ),
    );
    const { line, column } = place(this.text, from);
    this.put(list, line, column);
  }

  /** @param {HTMLElement} box @param {number} line @param {number} column */
  put(box, line, column) {
    const { wide, high, left, top } = this.metrics();
    const { scrollLeft, scrollTop, clientWidth } = this.area;
    const x = left + (column - 1) * wide - scrollLeft;
    box.style.left = `${Math.max(4, Math.min(x, this.area.offsetLeft + clientWidth - box.offsetWidth - 8))}px`;
    box.style.top = `${top + line * high - scrollTop + 2}px`;
  }

  /** The size of a character, and where the first one is. */
  metrics() {
    const style = getComputedStyle(this.area);
    const pen = document.createElement("canvas").getContext("2d");
    if (pen) pen.font = `${style.fontSize} ${style.fontFamily}`;
    return {
      wide: (pen?.measureText("0".repeat(100)).width ?? 700) / 100,
      high: Number.parseFloat(style.lineHeight),
      left: this.area.offsetLeft + Number.parseFloat(style.paddingLeft),
      top: this.area.offsetTop + Number.parseFloat(style.paddingTop),
    };
  }

  /** @param {number} index */
  take(index) {
    const proposal = this.offered[index];
    if (!proposal) return;
    const { from, to } = contextAt(this.text, this.area.selectionStart);
    this.area.setSelectionRange(from, Math.max(to, this.area.selectionStart));
    write(proposal.insert);
    // One writes on in the brackets or quotes, or instead of the value that is proposed.
    const end = this.area.selectionStart;
    const inner = /(""|\{\}|\[\])$/.test(proposal.insert) ? 1 : 0;
    const value = /^".*?": ("\w+"|[\w.]+)$/.exec(proposal.insert)?.[1] ?? "";
    this.area.setSelectionRange(end - inner - value.length, end - inner);
    this.offer([]);
  }

  /** @param {KeyboardEvent} event */
  pressed(event) {
    const { key } = event;
    if (key === " " && event.ctrlKey) {
      event.preventDefault();
      this.propose();
      return;
    }
    if (this.offered.length && !event.ctrlKey && !event.metaKey) {
      const step = { ArrowDown: 1, ArrowUp: -1 }[key];
      if (step) {
        this.chosen = (this.chosen + step + this.offered.length) % this.offered.length;
        this.drawOffers(contextAt(this.text, this.area.selectionStart).from);
      } else if ((key === "Tab" && !event.shiftKey) || key === "Enter") this.take(this.chosen);
      else if (key === "Escape") this.offer([]);
      else return;
      event.preventDefault();
      event.stopPropagation();
      return;
    }
    if (key === "Enter" && !event.ctrlKey && !event.metaKey && !event.isComposing) {
      event.preventDefault();
      this.newline();
    }
  }

  /** A new line is as far in as it belongs. */
  newline() {
    const { selectionStart: start, selectionEnd: end } = this.area;
    const before = this.text.slice(0, start);
    const indent = /^[ \t]*/.exec(before.slice(before.lastIndexOf("\n") + 1))?.[0] ?? "";
    const opens = /[{[]\s*$/.test(before);
    const closes = opens && /^\s*[}\]]/.test(this.text.slice(end));
    const inner = `\n${indent}${opens ? "  " : ""}`;
    write(closes ? `${inner}\n${indent}` : inner);
    const caret = start + inner.length;
    this.area.setSelectionRange(caret, caret);
  }

  /** @param {MouseEvent} event */
  hover(event) {
    const { wide, high, left, top } = this.metrics();
    const box = this.area.getBoundingClientRect();
    const { offsetLeft, offsetTop, scrollLeft, scrollTop } = this.area;
    const line = Math.floor((event.clientY - box.top + offsetTop - top + scrollTop) / high);
    const column = Math.floor((event.clientX - box.left + offsetLeft - left + scrollLeft) / wide);
    const lines = this.text.split("\n");
    const text = lines[line];
    if (text === undefined || column < 0 || column >= text.length || !/\S/.test(text[column] ?? ""))
      return this.hide();
    const offset = lines.slice(0, line).reduce((sum, each) => sum + each.length + 1, 0) + column;
    const problem = this.found.find((each) => {
      const { from, to } = shown(this.text, each);
      return from <= offset && offset < to;
    });
    const known = aboutPlace(this.known, this.text, offset);
    if (!problem && !known) return this.hide();
    this.tip.hidden = false;
    patch(
      this.tip,
      problem && h("div", { class: problem.warning ? "odd" : "wrong" }, problem.message),
      known && h("div", h("code", known.path), " ", known.type),
      known?.about && h("div.about", known.about),
    );
    this.put(this.tip, line + 1, column + 1);
  }

  hide() {
    this.tip.hidden = true;
  }
}

/** A problem with an end: at least one character is marked. @param {string} text @param {Problem} problem */
function shown(text, { from, to }) {
  if (to > from) return { from, to };
  const end = Math.min(text.length, from + 1);
  return { from: Math.max(0, end - 1), to: end };
}

/**
 * Write as if it were typed: no other way leaves the browser's undo whole.
 * @param {string} text
 */
function write(text) {
  document.execCommand("insertText", false, text);
}

customElements.define("json-editor", JsonEditor);
