/**
 * JSON with its places: tokens for colours, a tree that keeps each number as it was written
 * (`JSON.parse` would round the factorial of 30), and the first problem in words.
 */

/**
 * @typedef {"{" | "}" | "[" | "]" | ":" | "," | "string" | "number" | "word" | "bad"} TokenType
 * @typedef {{type: TokenType, from: number, to: number, key?: boolean}} Token
 * @typedef {{from: number, to: number, message: string, warning?: boolean}} Problem
 * @typedef {{kind: "object", from: number, to: number, entries: Entry[]}} ObjectNode
 * @typedef {{kind: "array", from: number, to: number, items: Node[]}} ArrayNode
 * @typedef {{kind: "string", from: number, to: number, value: string}} StringNode
 * @typedef {{kind: "number" | "boolean" | "null", from: number, to: number, raw: string}} PlainNode
 * @typedef {ObjectNode | ArrayNode | StringNode | PlainNode} Node
 * @typedef {{key: StringNode, value: Node}} Entry
 * @typedef {{value: Node | null, problems: Problem[], tokens: Token[]}} Parsed
 */

const TOKEN =
  /[{}[\]:,]|"(?:[^"\\\n]|\\[^\n])*("?)|-?\d[\w.+-]*|[A-Za-z_$][\w$]*|'(?:[^'\\\n]|\\.)*'?|[^\s]/gu;
const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;
const ESCAPES = /^"(?:[^"\\]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"$/u;
const DEEPEST = 400;
/** What people write who think in Python or JavaScript. @type {Record<string, string>} */
const MEANT = { True: "true", False: "false", None: "null", undefined: "null" };

/**
 * @param {string} text
 * @returns {Token[]}
 */
export function tokens(text) {
  /** @type {Token[]} */
  const found = [];
  for (const match of text.matchAll(TOKEN)) {
    const [word] = match;
    const from = match.index;
    found.push({ type: typeOf(word), from, to: from + word.length });
  }
  found.forEach((token, index) => {
    if (token.type === "string" && found[index + 1]?.type === ":") token.key = true;
  });
  return found;
}

/**
 * @param {string} word
 * @returns {TokenType}
 */
function typeOf(word) {
  const first = word[0] ?? "";
  if ("{}[]:,".includes(first)) return /** @type {TokenType} */ (first);
  if (first === '"') return "string";
  if (/^-?\d/.test(word)) return "number";
  return /^[A-Za-z_$]/.test(word) ? "word" : "bad";
}

class Stop extends Error {
  /** @param {Problem} problem */
  constructor(problem) {
    super(problem.message);
    this.problem = problem;
  }
}

class Parser {
  /** @param {string} text */
  constructor(text) {
    this.text = text;
    this.tokens = tokens(text);
    this.at = 0;
    /** @type {Problem[]} */ this.warnings = [];
  }

  peek() {
    return this.tokens[this.at];
  }

  /**
   * @param {string} message
   * @param {Token | undefined} token
   * @returns {never}
   */
  stop(message, token = this.peek()) {
    const end = this.text.trimEnd().length;
    throw new Stop({ from: token?.from ?? end, to: token?.to ?? end, message });
  }

  /** @param {Token} token @returns {StringNode} */
  string(token) {
    const raw = this.text.slice(token.from, token.to);
    if (raw.length < 2 || !raw.endsWith('"')) this.stop("This string is not closed", token);
    // biome-ignore lint: control characters are what is looked for
    if (/[\u0000-\u001f]/.test(raw))
      this.stop("A control character must be written \\u00XX", token);
    if (!ESCAPES.test(raw)) this.stop("JSON has no such escape: \\\\ is a backslash", token);
    return { kind: "string", from: token.from, to: token.to, value: JSON.parse(raw) };
  }

  /** @param {number} depth @returns {Node} */
  value(depth) {
    const token = this.peek();
    if (depth > DEEPEST) this.stop(`Nested deeper than ${DEEPEST}`);
    if (!token) this.stop("A value is missing here");
    this.at += 1;
    const { from, to } = token;
    const raw = this.text.slice(from, to);
    if (token.type === "{") return this.object(token, depth);
    if (token.type === "[") return this.array(token, depth);
    if (token.type === "string") return this.string(token);
    if (token.type === "number") {
      if (!NUMBER.test(raw)) this.stop(`${raw} is no number of JSON`, token);
      return { kind: "number", from, to, raw };
    }
    if (raw === "true" || raw === "false") return { kind: "boolean", from, to, raw };
    if (raw === "null") return { kind: "null", from, to, raw };
    this.at -= 1;
    if (Object.hasOwn(MEANT, raw)) this.stop(`JSON has ${MEANT[raw]}, not ${raw}`, token);
    if (raw.startsWith("'")) this.stop('JSON has double quotes: "', token);
    if (token.type === "word")
      this.stop(`Unknown word ${raw}: texts stand in double quotes`, token);
    return this.stop(`A value is missing before ${raw}`, token);
  }

  /** @param {Token} open @param {number} depth @returns {ObjectNode} */
  object(open, depth) {
    /** @type {Entry[]} */ const entries = [];
    const names = new Set();
    for (;;) {
      const token = this.peek();
      if (!token) this.stop("} is missing", open);
      if (token.type === "}" && entries.length === 0) break;
      if (token.type === "}") this.stop("No comma before }", this.tokens[this.at - 1]);
      if (token.type !== "string") this.stop("A name in double quotes is missing here", token);
      this.at += 1;
      const key = this.string(token);
      if (names.has(key.value)) {
        const { from, to } = key;
        this.warnings.push({ from, to, message: `"${key.value}" is here twice`, warning: true });
      }
      names.add(key.value);
      if (this.peek()?.type !== ":") this.stop(": is missing after the name", token);
      this.at += 1;
      entries.push({ key, value: this.value(depth + 1) });
      const next = this.peek();
      if (next?.type === ",") this.at += 1;
      else if (next?.type === "}") break;
      else this.stop(next ? "A comma or } is missing before this" : "} is missing", next ?? open);
    }
    const close = /** @type {Token} */ (this.tokens[this.at++]);
    return { kind: "object", from: open.from, to: close.to, entries };
  }

  /** @param {Token} open @param {number} depth @returns {ArrayNode} */
  array(open, depth) {
    /** @type {Node[]} */ const items = [];
    for (;;) {
      const token = this.peek();
      if (!token) this.stop("] is missing", open);
      if (token.type === "]" && items.length === 0) break;
      if (token.type === "]") this.stop("No comma before ]", this.tokens[this.at - 1]);
      items.push(this.value(depth + 1));
      const next = this.peek();
      if (next?.type === ",") this.at += 1;
      else if (next?.type === "]") break;
      else this.stop(next ? "A comma or ] is missing before this" : "] is missing", next ?? open);
    }
    const close = /** @type {Token} */ (this.tokens[this.at++]);
    return { kind: "array", from: open.from, to: close.to, items };
  }
}

/**
 * The tree of a text, or its first problem; what is allowed but surely not meant is a warning.
 * @param {string} text
 * @returns {Parsed}
 */
export function parse(text) {
  const parser = new Parser(text);
  try {
    const value = parser.value(0);
    if (parser.peek()) parser.stop("Nothing may follow the value");
    return { value, problems: parser.warnings, tokens: parser.tokens };
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    return { value: null, problems: [error.problem, ...parser.warnings], tokens: parser.tokens };
  }
}

/**
 * As `JSON.parse` has it.
 * @param {Node} node
 * @returns {unknown}
 */
export function plain(node) {
  if (node.kind === "string") return node.value;
  if (node.kind === "array") return node.items.map(plain);
  if (node.kind === "object") {
    return Object.fromEntries(node.entries.map(({ key, value }) => [key.value, plain(value)]));
  }
  return JSON.parse(node.raw);
}

/**
 * A member of an object.
 * @param {Node | null | undefined} node
 * @param {string} name
 * @returns {Node | null}
 */
export function member(node, name) {
  if (node?.kind !== "object") return null;
  return node.entries.findLast(({ key }) => key.value === name)?.value ?? null;
}

/**
 * One scalar as it is written.
 * @param {StringNode | PlainNode} node
 */
export const written = (node) => (node.kind === "string" ? JSON.stringify(node.value) : node.raw);

/**
 * A tree as text, indented by two, numbers as they were.
 * @param {Node} node
 * @param {string} indent
 * @returns {string}
 */
export function format(node, indent = "") {
  const inner = `${indent}  `;
  if (node.kind === "array") {
    if (!node.items.length) return "[]";
    const short = compact(node);
    if (short.length < 60 && node.items.every((item) => !("entries" in item))) return short;
    return `[\n${node.items.map((item) => inner + format(item, inner)).join(",\n")}\n${indent}]`;
  }
  if (node.kind === "object") {
    if (!node.entries.length) return "{}";
    const lines = node.entries.map(
      ({ key, value }) => `${inner}${written(key)}: ${format(value, inner)}`,
    );
    return `{\n${lines.join(",\n")}\n${indent}}`;
  }
  return written(node);
}

/**
 * A tree as text in one line.
 * @param {Node} node
 * @returns {string}
 */
export function compact(node) {
  if (node.kind === "array") return `[${node.items.map(compact).join(", ")}]`;
  if (node.kind === "object") {
    return `{${node.entries.map((e) => `${written(e.key)}: ${compact(e.value)}`).join(", ")}}`;
  }
  return written(node);
}

/**
 * The value at a path of names and positions.
 * @param {Node | null} node
 * @param {readonly (string | number)[]} path
 * @returns {Node | null}
 */
export function at(node, path) {
  let found = node;
  for (const step of path) {
    found =
      found?.kind === "array" ? (found.items[Number(step)] ?? null) : member(found, String(step));
  }
  return found;
}

/** The steps of `$.items[0].id`, `/items/0/id` or `items.0.id`. @param {string} path */
export function steps(path) {
  const words = path.replace(/^\$/, "").match(/[^./[\]"']+/g) ?? [];
  return words.map((word) => (/^\d+$/.test(word) ? Number(word) : word));
}

/**
 * Line and column of an offset, both from 1.
 * @param {string} text
 * @param {number} offset
 */
export function place(text, offset) {
  const before = text.slice(0, offset);
  const line = before.split("\n").length;
  return { line, column: offset - before.lastIndexOf("\n") };
}
