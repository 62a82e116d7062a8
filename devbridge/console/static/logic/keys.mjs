/** Which key does what. Letters are for the page, never for who is writing. */

/** @typedef {{key: string, ctrlKey: boolean, metaKey: boolean, altKey: boolean, shiftKey: boolean}} Press */

/** What `?` shows; the names of the actions are those of the pages. */
export const HELP = [
  ["/", "Search"],
  ["j  k", "Next, previous"],
  ["Enter", "Open"],
  ["r", "Replay"],
  ["e", "Edit and replay"],
  ["c", "Cancel"],
  ["i", "Invoke"],
  ["Ctrl Enter", "Invoke what is written"],
  ["Ctrl Space", "Complete"],
  ["n  N", "Next, previous place that was found in a log"],
  ["G", "Follow the log's end"],
  ["g f   g r   g s", "Functions, Runs, Stage"],
  ["t", "Dark, light, or as the system has it"],
  ["Esc", "Close, or leave the field"],
  ["?", "This list"],
];

const FIRST = new Set(["g"]);

export class Keys {
  constructor() {
    this.first = "";
  }

  /**
   * The name of what was pressed: `j`, `ctrl+Enter`, `g f`; empty: nothing of ours.
   * @param {Press} press
   * @param {boolean} writing whether a field has the focus
   */
  name(press, writing) {
    const { key } = press;
    const command = press.ctrlKey || press.metaKey;
    if (command && key === "Enter") return "ctrl+Enter";
    if (key === "Escape") return "Escape";
    if (writing || command || press.altKey) {
      this.first = "";
      return "";
    }
    if (this.first) {
      const name = `${this.first} ${key}`;
      this.first = "";
      return name;
    }
    if (FIRST.has(key)) {
      this.first = key;
      return "";
    }
    return key;
  }
}
