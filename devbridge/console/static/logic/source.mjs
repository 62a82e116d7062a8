/** A line of Python or TypeScript in colours: enough to read a frame, not a parser. */

/** @typedef {{text: string, kind: "" | "comment" | "string" | "number" | "keyword" | "call"}} Piece */

const PYTHON = `False None True and as assert async await break class continue def del elif else except
  finally for from global if import in is lambda match nonlocal not or pass raise return try while with yield`;
const SCRIPT = `as async await break case catch class const continue debugger default delete do else enum
  export extends false finally for from function if implements import in instanceof interface let new null
  of return static super switch this throw true try type typeof undefined var void while yield`;
const WORDS = {
  python: new Set(PYTHON.split(/\s+/)),
  script: new Set(SCRIPT.split(/\s+/)),
};
const TEXT = String.raw`[rbfuRBFU]{0,2}"(?:[^"\\]|\\.)*"?|[rbfuRBFU]{0,2}'(?:[^'\\]|\\.)*'?`;
const REST = String.raw`\d[\w.]*|[A-Za-z_$][\w$]*|\s+|.`;
const PIECES = {
  python: new RegExp(`#.*|${TEXT}|${REST}`, "gu"),
  script: new RegExp(`//.*|/\\*.*?(?:\\*/|$)|${TEXT}|\`(?:[^\`\\\\]|\\\\.)*\`?|${REST}`, "gu"),
};

/**
 * @param {string} line
 * @param {string} file its suffix tells the language
 * @returns {Piece[]}
 */
export function pieces(line, file) {
  const language = /\.[mc]?[jt]sx?$/.test(file) ? "script" : "python";
  /** @type {Piece[]} */ const found = [];
  for (const match of line.matchAll(PIECES[language])) {
    const [text] = match;
    const kind = kindOf(text, line.slice(match.index + text.length), language);
    const last = found.at(-1);
    if (last && last.kind === kind) last.text += text;
    else found.push({ text, kind });
  }
  return found;
}

/** @param {string} text @param {string} rest @param {"python" | "script"} language @returns {Piece["kind"]} */
function kindOf(text, rest, language) {
  if (language === "python" ? text.startsWith("#") : /^\/[/*]/.test(text)) return "comment";
  if (/^[rbfuRBFU]{0,2}["']|^`/.test(text)) return "string";
  if (/^\d/.test(text)) return "number";
  if (!/^[A-Za-z_$]/.test(text)) return "";
  if (WORDS[language].has(text)) return "keyword";
  return rest.startsWith("(") ? "call" : "";
}
