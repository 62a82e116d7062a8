/** A long list of rows of one height, of which only those are drawn that are seen. */

import { patch } from "../dom.mjs";
import { Scrolling } from "../logic/scrolling.mjs";

/**
 * @typedef {{total: number, height: number, follow: boolean, scrolling?: Scrolling,
 *   draw: (index: number) => import("../dom.mjs").VNode | null,
 *   seen?: (first: number, count: number) => void, moved?: (atEnd: boolean) => void}} Rows
 */

export class VirtualRows extends HTMLElement {
  constructor() {
    super();
    this.scrolling = new Scrolling(20);
    /** @type {Rows} */ this.rows = { total: 0, height: 20, follow: false, draw: () => null };
    this.layer = document.createElement("div");
    this.list = document.createElement("div");
    this.spacer = document.createElement("div");
    this.layer.className = "layer";
    this.list.className = "list";
    this.layer.append(this.list);
    this.widest = 0;
    this.watch = new ResizeObserver(() => this.refresh());
    this.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.addEventListener("scrollend", () => this.place(this.scrolling.settle()));
  }

  connectedCallback() {
    if (!this.layer.isConnected) this.append(this.layer, this.spacer);
    this.watch.observe(this);
    this.refresh();
  }

  disconnectedCallback() {
    this.watch.disconnect();
  }

  /** @param {Rows} rows */
  set model(rows) {
    this.rows = rows;
    this.refresh();
  }

  /** What is shown may be other rows, or other ones. */
  refresh() {
    if (!this.isConnected) return;
    const { rows } = this;
    // Whose place outlives the element, brings it.
    const scrolling = (this.scrolling = rows.scrolling ?? this.scrolling);
    scrolling.row = rows.height;
    const viewport = this.clientHeight;
    const bar = scrolling.resized(rows.total, viewport, rows.follow);
    this.layer.style.height = `${viewport}px`;
    this.spacer.style.height = `${Math.max(0, scrolling.shown - viewport)}px`;
    this.place(bar);
    this.draw();
  }

  /** @param {number} bar */
  place(bar) {
    const { scrollTop } = this;
    if (Math.abs(scrollTop - bar) >= 1) this.scrollTop = bar;
  }

  scrolled() {
    if (Math.abs(this.scrollTop - this.scrolling.bar) < 1) return;
    this.scrolling.moved(this.scrollTop);
    this.draw();
    this.rows.moved?.(this.scrolling.atEnd);
  }

  draw() {
    const { first, count, offset } = this.scrolling.window();
    this.list.style.transform = `translateY(${offset}px)`;
    patch(
      this.list,
      Array.from({ length: count }, (_, index) => this.rows.draw(first + index)),
    );
    this.rows.seen?.(first, count);
    // The bar below never shrinks while one reads: the widest row so far counts.
    const width = this.list.scrollWidth;
    if (width > this.widest) {
      this.widest = width;
      if (width > this.clientWidth) this.spacer.style.width = `${width}px`;
    }
  }

  /** @param {number} index @param {"nearest" | "centre"} where */
  reveal(index, where = "nearest") {
    this.place(this.scrolling.reveal(index, where));
    this.draw();
    this.rows.moved?.(this.scrolling.atEnd);
  }
}

customElements.define("virtual-rows", VirtualRows);
