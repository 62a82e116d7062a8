/** Addresses and pages. */

/** @typedef {{page: "functions" | "function" | "runs" | "run" | "stage" | "nowhere", name: string}} Route */

/**
 * @param {string} path
 * @returns {Route}
 */
export function routeOf(path) {
  const [first = "", second, ...rest] = path.split("/").filter(Boolean).map(decoded);
  if (rest.length) return { page: "nowhere", name: path };
  if (!first && second === undefined) return { page: "functions", name: "" };
  if (first === "functions")
    return second ? { page: "function", name: second } : { page: "functions", name: "" };
  if (first === "runs") return second ? { page: "run", name: second } : { page: "runs", name: "" };
  if (first === "stage" && !second) return { page: "stage", name: "" };
  return { page: "nowhere", name: path };
}

/** @param {string} part */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** @param {string} name */
export const functionPath = (name) => `/functions/${encodeURIComponent(name)}`;
/** Where a run's payload is edited, to be replayed. @param {string} job @param {string} id */
export const editPath = (job, id) => `${functionPath(job)}?replay=${encodeURIComponent(id)}`;
/** @param {string} id */
export const runPath = (id) => `/runs/${encodeURIComponent(id)}`;

/**
 * An address that may be followed, or nothing: what runs print and clouds answer is not trusted.
 * @param {string | null | undefined} address
 * @returns {string | null}
 */
export function safeLink(address) {
  if (!address) return null;
  if (/^\/(?!\/)/.test(address)) return address;
  return /^(https?|vscode):\/\//i.test(address) ? address : null;
}

/**
 * The address that opens a file in VS Code.
 * @param {string} file absolute
 * @param {number | null | undefined} line
 */
export function editorLink(file, line) {
  if (!/^(\/|[A-Za-z]:[\\/])/.test(file)) return null;
  const path = file
    .replaceAll("\\", "/")
    .split("/")
    .map(encodeURIComponent)
    .join("/")
    .replace("%3A", ":");
  return `vscode://file${path.startsWith("/") ? "" : "/"}${path}${line ? `:${line}` : ""}`;
}
