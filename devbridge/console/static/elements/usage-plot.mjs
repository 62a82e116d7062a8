/** Processor and memory of a run's processes over time, with the numbers of the moment one points at. */

import { h, patch } from "../dom.mjs";
import { area, nearest, path, ticks, x, y } from "../logic/plots.mjs";
import { bytes, duration } from "../logic/words.mjs";

/** @typedef {[at: number, cpu: number, rss: number]} Sample */

const WIDTH = 600;
const HEIGHT = 56;

export class UsagePlot extends HTMLElement {
  constructor() {
    super();
    /** @type {Sample[]} */ this.all = [];
    /** @type {Sample | null} */ this.pointed = null;
    this.addEventListener("pointermove", (event) => this.point(event));
    this.addEventListener("pointerleave", () => this.leave());
    this.addEventListener("blur", () => this.leave());
    this.addEventListener("keydown", (event) => this.step(event));
  }

  connectedCallback() {
    this.tabIndex = 0;
    this.role = "group";
    this.ariaLabel = "Processor and memory: Left and Right go through time";
    this.draw();
  }

  /** @param {Sample[]} samples */
  set samples(samples) {
    this.all = samples;
    this.draw();
  }

  /** @param {PointerEvent} event */
  point(event) {
    const plot = this.querySelector("svg")?.getBoundingClientRect();
    const [first, last] = [this.all[0], this.all.at(-1)];
    if (!plot || !first || !last) return;
    const share = (event.clientX - plot.left) / plot.width;
    this.pointed = nearest(this.all, first[0] + share * (last[0] - first[0]));
    this.draw();
  }

  /** @param {KeyboardEvent} event */
  step(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const last = this.all.length - 1;
    if (!by || last < 0) return;
    event.preventDefault();
    const at = this.pointed ? this.all.indexOf(this.pointed) + by : last;
    this.pointed = this.all[Math.max(0, Math.min(last, at))] ?? null;
    this.draw();
  }

  leave() {
    this.pointed = null;
    this.draw();
  }

  draw() {
    if (!this.isConnected) return;
    const cpu = this.all.map(([at, percent]) => /** @type {[number, number]} */ ([at, percent]));
    const rss = this.all.map(([at, , size]) => /** @type {[number, number]} */ ([at, size]));
    const shown = this.pointed ?? this.all.at(-1);
    const after =
      this.pointed && this.all[0] ? ` after ${duration(this.pointed[0] - this.all[0][0])}` : "";
    patch(
      this,
      this.plot(
        "Processor",
        "cpu",
        cpu,
        Math.max(100, ...cpu.map((each) => each[1])),
        shown ? `${Math.round(shown[1])} %${after}` : "",
        (value) => `${value} %`,
      ),
      this.plot(
        "Memory",
        "rss",
        rss,
        Math.max(1e6, ...rss.map((each) => each[1])),
        shown ? `${bytes(shown[2])}${after}` : "",
        bytes,
      ),
    );
  }

  /**
   * @param {string} name
   * @param {string} kind
   * @param {[number, number][]} points
   * @param {number} largest
   * @param {string} said
   * @param {(value: number) => string} unit
   */
  plot(name, kind, points, largest, said, unit) {
    const steps = ticks(largest, 2);
    const most = steps.at(-1) ?? largest;
    const [from, to] = [points[0]?.[0] ?? 0, points.at(-1)?.[0] ?? 1];
    const room = { from, to, most, width: WIDTH, height: HEIGHT };
    const peak = points.length
      ? unit(Math.round(Math.max(...points.map((point) => point[1]))))
      : "";
    return h(
      "figure",
      { class: `plot ${kind}` },
      h("figcaption", h("span", name), h("output", said), peak && h("span.peak", `peak ${peak}`)),
      h(
        "svg",
        {
          viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
          preserveAspectRatio: "none",
          role: "img",
          "aria-label": `${name}: peak ${peak || "unknown"}`,
        },
        steps.map((step) =>
          h("line.grid", { x1: 0, x2: WIDTH, y1: y(step, room), y2: y(step, room) }),
        ),
        h("path.area", { d: area(points, room) }),
        h("path.curve", { d: path(points, room) }),
        this.pointed &&
          h("line.cursor", {
            x1: x(this.pointed[0], room),
            x2: x(this.pointed[0], room),
            y1: 0,
            y2: HEIGHT,
          }),
      ),
    );
  }
}

customElements.define("usage-plot", UsagePlot);
