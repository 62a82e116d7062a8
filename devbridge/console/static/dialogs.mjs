/** Questions and short messages above the page. */

import { h, patch, value } from "./dom.mjs";
import { HELP } from "./logic/keys.mjs";
import { button } from "./parts.mjs";

/** @typedef {import("./dom.mjs").Nested} Nested */

/**
 * A dialog that the keyboard cannot leave until it is answered; Escape is no.
 * @param {string} title
 * @param {Nested} content
 * @param {{yes?: string, kind?: string}} answers without `yes` there is nothing to answer
 * @returns {Promise<boolean>}
 */
export function ask(title, content, { yes, kind = "main" } = {}) {
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-label", title);
  patch(
    dialog,
    h(
      "form",
      { method: "dialog" },
      h("h2", title),
      h("div.content", content),
      h(
        "menu",
        h("button.button", { value: "no" }, yes ? "No" : "Close"),
        yes && h("button", { class: `button ${kind}`, value: "yes", autofocus: true }, yes),
      ),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  });
}

/**
 * @param {string} title
 * @param {string} label
 * @param {string} action
 * @returns {Promise<string>} empty: nothing was given
 */
export async function askText(title, label, action) {
  let given = "";
  const yes = await ask(
    title,
    h(
      "label.field",
      label,
      h("input", {
        type: "text",
        required: true,
        autofocus: true,
        maxlength: 80,
        oninput: value((text) => {
          given = text.trim();
        }),
        onkeydown: (/** @type {KeyboardEvent} */ event) => {
          if (event.key !== "Enter") return;
          event.preventDefault();
          /** @type {HTMLElement} */ (event.target).closest("dialog")?.close(given ? "yes" : "no");
        },
      }),
    ),
    { yes: action },
  );
  return yes ? given : "";
}

export const help = () =>
  ask(
    "Keys",
    h(
      "dl.keys",
      HELP.map(([keys = "", what = ""]) => [
        h(
          "dt",
          keys.split(/\s{2,}/).map((key) =>
            h(
              "span",
              key.split(" ").map((each) => h("kbd", each)),
            ),
          ),
        ),
        h("dd", what),
      ]),
    ),
  );

/** Short messages, read out, gone by themselves; errors stay until they are closed. */
export class Toasts {
  constructor() {
    this.host = document.createElement("div");
    this.host.className = "toasts";
    this.host.setAttribute("role", "status");
    document.body.append(this.host);
    /** @type {{id: number, text: string, bad: boolean}[]} */ this.all = [];
    this.next = 0;
  }

  /** @param {string} text @param {boolean} bad */
  say(text, bad = false) {
    const id = (this.next += 1);
    this.all = [...this.all.slice(-3), { id, text, bad }];
    this.draw();
    if (!bad) setTimeout(() => this.drop(id), 4000);
  }

  /** @param {number} id */
  drop(id) {
    this.all = this.all.filter((each) => each.id !== id);
    this.draw();
  }

  draw() {
    patch(
      this.host,
      this.all.map(({ id, text, bad }) =>
        h(
          "div",
          { class: `toast ${bad ? "bad" : ""}`, key: id },
          h("span", text),
          button("Close", "close", () => this.drop(id), { bare: true }),
        ),
      ),
    );
  }
}
