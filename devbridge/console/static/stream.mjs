/** The stream of changes: one at a time, none while the page is hidden. */

import { Connection } from "./logic/connection.mjs";

const KINDS = ["run", "log", "functions", "stage", "reset"];

export class Stream {
  /**
   * @param {(kind: string, data: any) => void} told `reset` when something may have been missed
   * @param {(state: import("./logic/connection.mjs").State) => void} changed
   */
  constructor(told, changed) {
    this.told = told;
    this.changed = changed;
    this.connection = new Connection();
    this.run = "";
    /** @type {EventSource | null} */ this.source = null;
    this.timer = 0;
    document.addEventListener("visibilitychange", () =>
      this.on(document.hidden ? "hidden" : "shown"),
    );
    addEventListener("online", () => this.on("asked"));
    addEventListener("pagehide", () => this.on("hidden"));
    addEventListener("pageshow", () => this.on("shown"));
  }

  /** What is told from now on: of all runs, or with the log of one. @param {string} run */
  follow(run) {
    if (this.connection.state === "closed") {
      this.run = run;
      this.on("start");
      if (document.hidden) this.on("hidden");
    } else if (this.run !== run) {
      this.run = run;
      if (this.connection.state === "live" || this.connection.state === "connecting") this.open();
    }
  }

  /** @param {import("./logic/connection.mjs").Happening} what */
  on(what) {
    const { open, close, wait, reload } = this.connection.on(what);
    clearTimeout(this.timer);
    if (close) this.close();
    if (open) this.open();
    if (wait) this.timer = setTimeout(() => this.on("due"), wait);
    this.changed(this.connection.state);
    if (reload) this.told("reset", {});
  }

  open() {
    this.close();
    const source = new EventSource(
      `/api/events${this.run ? `?run=${encodeURIComponent(this.run)}` : ""}`,
    );
    this.source = source;
    source.addEventListener("open", () => this.source === source && this.on("opened"));
    source.addEventListener("error", () => {
      if (this.source === source)
        this.on(source.readyState === EventSource.CLOSED ? "failed" : "lost");
    });
    for (const kind of KINDS) {
      source.addEventListener(kind, ({ data }) => this.told(kind, data ? JSON.parse(data) : {}));
    }
  }

  close() {
    this.source?.close();
    this.source = null;
  }
}
