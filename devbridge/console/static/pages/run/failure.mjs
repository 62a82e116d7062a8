/** Why a run has failed: the error, then the app's own frames with the lines around them. */

import { h } from "../../dom.mjs";
import { editorLink } from "../../logic/routes.mjs";
import { pieces } from "../../logic/source.mjs";
import { button, copy } from "../../parts.mjs";

/**
 * @typedef {{text: string, file: string | null, line: number | null, column?: number | null, function: string | null,
 *   own: boolean, source: [number, string][]}} Frame
 * @typedef {{how: string, type: string, message: string, notes: string[], frames: Frame[], depth: number}} Cause
 * @typedef {{type: string, message: string, notes?: string[], frames: Frame[], causes?: Cause[], text?: string}} Failure
 */

/** @param {Failure | null} failure */
export function failure(failure) {
  if (!failure) return null;
  return h(
    "section.panel.bad.failure",
    { "aria-label": "Error" },
    h(
      "header",
      h("h2", failure.type),
      failure.text
        ? button("Copy the error", "copy", () => void copy(failure.text ?? ""), { bare: true })
        : null,
    ),
    said(failure.message, failure.notes ?? []),
    frames(failure.frames),
    (failure.causes ?? []).map((cause, index) =>
      h(
        "div.cause",
        { key: index, style: { "--depth": cause.depth } },
        h("h3", cause.how, cause.type && [" ", h("b", cause.type)]),
        said(cause.message, cause.notes),
        frames(cause.frames),
      ),
    ),
  );
}

/** @param {string} message @param {string[]} notes */
const said = (message, notes) => [
  message && h("p.message", message),
  notes.map((note) => h("p.note", note)),
];

/** The innermost first: it is where one looks. @param {Frame[]} all */
const frames = (all) => [...all].reverse().map((frame, index) => one(frame, index === 0));

/** Without the empty lines before and after. @param {[number, string][]} source */
function trimmed(source) {
  const full = source.map(([, text]) => text.trim() !== "");
  return source.slice(full.indexOf(true), full.lastIndexOf(true) + 1);
}

/** @param {Frame} frame @param {boolean} open */
function one(frame, open) {
  if (!frame.source.length || !frame.file) return h("p.frame.text", frame.text);
  const { file, line } = frame;
  const name = `${file.split("/").slice(-2).join("/")}${line ? `:${line}` : ""}`;
  const link = editorLink(file, line);
  const source = trimmed(frame.source);
  const indent = Math.min(
    ...source
      .filter(([, text]) => text.trim())
      .map(([, text]) => /^ */.exec(text)?.[0].length ?? 0),
  );
  return h(
    "details.frame",
    { open },
    h(
      "summary",
      h("span", { title: file }, name),
      frame.function && [" in ", h("b", frame.function)],
    ),
    link && h("a.open", { href: link, title: "Open in VS Code" }, "open in editor"),
    h(
      "pre",
      { tabindex: 0, "aria-label": `${name}, source` },
      source.map(([number, text]) =>
        h(
          "div",
          { class: number === line ? "here" : "" },
          h("span.number", number),
          h(
            "code",
            pieces(text.slice(Number.isFinite(indent) ? indent : 0), file).map((piece) =>
              piece.kind ? h("span", { class: `c-${piece.kind}` }, piece.text) : piece.text,
            ),
          ),
        ),
      ),
    ),
  );
}
