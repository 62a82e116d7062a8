/** Stage: what is deployed, what waits in dead-letter queues, and whose it is. */

import { get, paced, send } from "../api.mjs";
import { h } from "../dom.mjs";
import { runPath, safeLink } from "../logic/routes.mjs";
import { ago, moment, plural, rough, short } from "../logic/words.mjs";
import { button, copy, empty, failed, loading, panel, search, since } from "../parts.mjs";

/** @typedef {import("../main.mjs").Console} Console */
/**
 * @typedef {{id: string, sent_at: number, receives: number, run: string | null, trigger: string | null,
 *   error: string, body: string}} Letter
 * @typedef {{queue: string, of: string[], messages: number, oldest: number | null, letters: Letter[],
 *   more: boolean}} Dead
 */

export class StagePage {
  /** @param {Console} app */
  constructor(app) {
    this.app = app;
    this.title = "Stage";
    /** @type {any} */ this.stage = null;
    /** @type {Dead[] | null} */ this.dead = null;
    /** @type {Error | null} */ this.error = null;
    /** Why nothing is known of dead letters. */ this.unread = "";
    this.wanted = "";
    this.soon = paced(() => this.count());
  }

  start() {
    void this.load();
  }

  async load() {
    try {
      [this.stage] = await Promise.all([get("stage"), this.loadLetters()]);
      this.app.stage = this.stage;
      this.error = null;
    } catch (error) {
      this.error = /** @type {Error} */ (error);
    }
    this.app.changed();
  }

  async loadLetters() {
    try {
      this.dead = await get("dead-letters");
      this.unread = "";
    } catch (error) {
      this.unread = /** @type {Error} */ (error).message;
    }
  }

  /** What a run was started for is a dead letter when it has failed. */
  async count() {
    await this.loadLetters();
    this.app.changed();
  }

  /** @param {string} kind @param {any} data */
  told(kind, data) {
    if (kind === "stage" || kind === "reset") void this.load();
    if (kind === "run" && data.trigger && data.ended_at) this.soon();
  }

  /** @param {Dead} queue @param {string[] | null} ids */
  async redrive(queue, ids) {
    const number = ids?.length ?? queue.messages;
    const yes = await this.app.ask(
      `Redrive ${plural(number, "message")}?`,
      h("p", "Each goes back to where it came from, and is tried again."),
      { yes: `Redrive ${number}` },
    );
    if (!yes) return;
    const done = await this.app.act(() =>
      send("POST", "dead-letters/redrive", { queue: queue.queue, ids }),
    );
    if (done) {
      const [kept] = done.kept;
      this.app.toasts.say(
        `${plural(done.redriven.length, "message")} sent back${kept ? `; ${done.kept.length} stay: ${kept.reason}` : ""}`,
        Boolean(kept),
      );
    }
    await this.load();
  }

  view() {
    const { stage, error } = this;
    if (!stage)
      return error
        ? failed(error, () => void this.load())
        : [h("div.bar", h("h1", "Stage")), loading(8)];
    return [
      h("div.bar", h("h1", `${stage.app} / ${stage.stage}`), h("span.soft", this.sentence(stage))),
      h(
        "div.page.stage-page",
        stage.problems?.map((/** @type {string} */ text) =>
          h("p.panel.warn", { role: "note" }, text),
        ),
        stage.taken_by &&
          h("p.panel.warn", { role: "note" }, `${stage.taken_by} runs this stage's jobs now.`),
        h(
          "div.parts",
          this.about(stage),
          this.letters(),
          this.outputs(stage),
          this.secrets(stage),
          this.deployments(stage),
        ),
        this.resources(stage),
      ),
    ];
  }

  /** @param {any} stage */
  sentence(stage) {
    return stage.live
      ? `Jobs run on this machine; the rest is in ${stage.cloud}.`
      : `Deployed in ${stage.cloud}.`;
  }

  /** @param {any} stage */
  about(stage) {
    const left = stage.credentials_end ? stage.credentials_end - this.app.now : null;
    return panel(
      "About",
      null,
      h(
        "dl.facts",
        stage.developer && [h("dt", "Developer"), h("dd", stage.developer)],
        stage.since && [
          h("dt", "Since"),
          h("dd", moment(stage.since), h("small", ` ${ago(stage.since, this.app.now)}`)),
        ],
        stage.root && [h("dt", "Folder"), h("dd", h("code", stage.root))],
        left !== null && [
          h("dt", "Credentials"),
          h(
            "dd",
            { class: left < 900 ? "bad" : "" },
            left > 0 ? `end in ${rough(left)}, at ${moment(stage.credentials_end)}` : "have ended",
          ),
        ],
      ),
    );
  }

  /** @param {any} stage */
  outputs(stage) {
    /** @type {{name: string, value: string, link: string | null}[]} */ const all = stage.outputs;
    return panel(
      "Outputs",
      null,
      all.length
        ? h(
            "table.list.outputs",
            h(
              "tbody",
              all.map(({ name, value, link }) => {
                const address = safeLink(link);
                return h(
                  "tr",
                  { key: name },
                  h("th", { scope: "row" }, name),
                  h("td", address ? outward(address, value) : h("code", value)),
                  h(
                    "td.act",
                    button(`Copy ${name}`, "copy", () => void this.copy(value), { bare: true }),
                  ),
                );
              }),
            ),
          )
        : h("p.none", "There are none."),
    );
  }

  /** @param {string} value */
  copy(value) {
    return this.app.act(() => copy(value), "Copied");
  }

  letters() {
    const { dead, unread } = this;
    if (unread) return panel("Dead letters", null, h("p.none.error", { role: "alert" }, unread));
    if (!dead?.length)
      return panel("Dead letters", null, h("p.none", "This stage has no dead-letter queue."));
    const bare = dead.filter((queue) => !queue.messages).map((queue) => queue.queue);
    const full = dead.filter((queue) => queue.messages);
    return [
      full.map((queue) => this.queue(queue)),
      bare.length > 0 &&
        panel("Dead letters", null, h("p.none", `Empty: ${bare.join(", ")}`)),
    ];
  }

  /** @param {Dead} queue */
  queue(queue) {
    return (
      panel(
        `Dead letters: ${queue.queue}`,
        button("Redrive all", "replay", () => void this.redrive(queue, null), {
          kind: "small",
        }),
        h(
          "p.soft",
          plural(queue.messages, "message"),
          queue.oldest ? [", the oldest ", since(queue.oldest, this.app.now)] : null,
          queue.of.length ? `, of ${queue.of.join(", ")}` : null,
        ),
        h(
          "ul.letters",
          queue.letters.map((letter) => this.letter(queue, letter)),
        ),
        queue.more && h("p.none", "There are more than these."),
      )
    );
  }

  /** @param {Dead} queue @param {Letter} letter */
  letter(queue, letter) {
    return h(
      "li",
      { key: letter.id },
      h("div", h("span.error", { title: letter.error }, letter.error), h("code", letter.body)),
      h(
        "div.soft",
        since(letter.sent_at, this.app.now),
        letter.run && [" · ", h("a", { href: runPath(letter.run) }, short(letter.run))],
        letter.trigger && ` · ${letter.trigger}`,
      ),
      button("Redrive this message", "replay", () => void this.redrive(queue, [letter.id]), {
        bare: true,
      }),
    );
  }

  /** @param {any} stage */
  deployments(stage) {
    /** @type {{at: number, what: string, changes: {name: string, type: string, status: string}[]}[]} */
    const all = stage.deployments;
    return panel(
      "Deployments",
      null,
      all.length
        ? h(
            "ul.deployments",
            all.map((each, index) => {
              const head = [
                since(each.at, this.app.now),
                ` ${each.what}, `,
                plural(each.changes.length, "change"),
              ];
              if (!each.changes.length) return h("li", { key: each.at }, head);
              return h(
                "li",
                { key: each.at },
                h(
                  "details",
                  { open: index === 0 },
                  h("summary", head),
                  h("ul", each.changes.map(change)),
                ),
              );
            }),
          )
        : h("p.none", "None is known here."),
    );
  }

  /** @param {any} stage */
  secrets(stage) {
    /** @type {{name: string, set: boolean}[]} */ const all = stage.secrets;
    return panel(
      "Secrets",
      h("span.soft", "names only"),
      all.length
        ? h(
            "ul.secrets",
            all.map((each) =>
              h(
                "li",
                { key: each.name },
                h("code", each.name),
                each.set ? h("span.ok", "set") : h("span.bad", "not set"),
              ),
            ),
          )
        : h("p.none", "The app has none."),
    );
  }

  /** @param {string} text */
  look(text) {
    this.wanted = text;
    this.app.changed();
  }

  /** @param {any} stage */
  resources(stage) {
    /** @type {{name: string, type: string, id: string, link: string | null}[]} */ const all =
      stage.resources;
    const shown = all.filter((each) =>
      `${each.name} ${each.type} ${each.id}`.toLowerCase().includes(this.wanted.toLowerCase()),
    );
    return panel(
      "Resources",
      search("Search resources", "Name, type or id", this.wanted, (text) => this.look(text)),
      shown.length
        ? h(
            "div.wide",
            { tabindex: 0, role: "region", "aria-label": "List of resources" },
            h(
              "table.list.resources",
              h(
                "thead",
                h(
                  "tr",
                  ["Name", "Type", "Id"].map((title) => h("th", { scope: "col" }, title)),
                ),
              ),
              h(
                "tbody",
                shown.map((each) => {
                  const address = safeLink(each.link);
                  return h(
                    "tr",
                    { key: each.name },
                    h("th", { scope: "row" }, each.name),
                    h("td", each.type.replace(/^AWS::/, "")),
                    h("td", address ? outward(address, each.id) : h("code", each.id)),
                  );
                }),
              ),
            ),
          )
        : empty(all.length ? "No resource is like that" : "Nothing is deployed"),
    );
  }
}

/** @param {string} address @param {string} text */
const outward = (address, text) =>
  h("a", { href: address, target: "_blank", rel: "noreferrer" }, text);

/** @param {{name: string, type: string, status: string}} change */
function change({ name, type, status }) {
  const kind = /^create/.test(status) ? "added" : /^delete/.test(status) ? "removed" : "changed";
  const bad = /fail|rollback/.test(status);
  return h(
    "li",
    { class: bad ? "bad" : kind },
    `${{ added: "+", removed: "−", changed: "~" }[kind]} ${name} `,
    h("small", type.replace(/^AWS::/, ""), bad && ` ${status}`),
  );
}
