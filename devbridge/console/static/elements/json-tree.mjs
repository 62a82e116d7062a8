/** A JSON value that folds, with its parts in colours, and a way to copy it. */

import { h, patch } from "../dom.mjs";
import { format } from "../logic/json.mjs";
import { FEW, openedAtFirst, rows } from "../logic/tree.mjs";
import { cut } from "../logic/visible.mjs";
import { bytes } from "../logic/words.mjs";
import { button, copy, icon } from "../parts.mjs";

/** @typedef {import("../logic/json.mjs").Node} Node */

const LONG = 2000;

export class JsonTree extends HTMLElement {
  constructor() {
    super();
    /** @type {Node | null} */ this.node = null;
    this.text = "";
    /** @type {Set<string>} */ this.open = new Set();
    /** @type {Set<string>} */ this.whole = new Set();
    this.most = FEW;
    this.copied = false;
  }

  connectedCallback() {
    this.draw();
  }

  /** @param {Node} node */
  set value(node) {
    if (node === this.node) return;
    const text = format(node);
    // A run that is told of again has the same payload: what is open stays open.
    if (text === this.text) return;
    this.node = node;
    this.text = text;
    this.open = openedAtFirst(node);
    this.whole = new Set();
    this.copied = false;
    this.most = FEW;
    this.draw();
  }

  draw() {
    if (!this.node || !this.isConnected) return;
    const shown = rows(this.node, this.open, this.most);
    patch(
      this,
      h(
        "div.lines",
        shown.rows.map((row) => this.row(row)),
      ),
      shown.more && button(`${FEW} more`, "", () => this.show(FEW)),
      h(
        "div.tools",
        h("span.size", bytes(new Blob([this.text]).size)),
        button(this.copied ? "Copied" : "Copy", "copy", () => this.copy(), { bare: true }),
      ),
    );
  }

  /** @param {import("../logic/tree.mjs").TreeRow} row */
  row(row) {
    const { open, path, summary, node } = row;
    const long = summary.length > LONG && !this.whole.has(path);
    return h(
      "div.line",
      { key: path, style: { "--depth": row.depth } },
      open === null
        ? h("span.fold")
        : h(
            "button.fold",
            {
              "aria-expanded": String(open),
              "aria-label": `${open ? "Fold" : "Unfold"} ${row.name ?? "all"}`,
              onclick: () => this.toggle(path),
            },
            icon("chevron"),
          ),
      h(
        "span.text",
        row.name !== null && [h("span.j-key", row.name), ": "],
        h(
          "span",
          { class: open === null ? `j-${node.kind}` : "j-more" },
          long ? cut(summary, LONG) : summary,
        ),
        long && button("whole", "", () => this.showWhole(path), { kind: "small" }),
      ),
    );
  }

  /** @param {string} path */
  toggle(path) {
    if (!this.open.delete(path)) this.open.add(path);
    this.draw();
  }

  /** @param {string} path */
  showWhole(path) {
    this.whole.add(path);
    this.draw();
  }

  /** @param {number} more */
  show(more) {
    this.most += more;
    this.draw();
  }

  async copy() {
    await copy(this.text);
    this.copied = true;
    this.draw();
  }
}

customElements.define("json-tree", JsonTree);
