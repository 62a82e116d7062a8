/** The server's answers, and its errors. `docs/console-api.md` has them all. */

/** An answer that is an error, in the server's words. */
export class ApiError extends Error {
  /**
   * @param {number} status 0: nobody has answered
   * @param {{type?: string, message: string, remedy?: string | null, path?: string | null,
   *   line?: number | null, column?: number | null}} told
   */
  constructor(status, told) {
    super(told.remedy ? `${told.message}: ${told.remedy}` : told.message);
    this.status = status;
    this.told = told;
  }

  /** Nobody has answered. */
  get offline() {
    return this.status === 0;
  }
}

/**
 * @param {string} path below `/api/`
 * @param {Record<string, string | number | null | undefined>} query
 * @returns {Promise<any>}
 */
export async function get(path, query = {}, signal = /** @type {AbortSignal | null} */ (null)) {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") given.set(name, String(value));
  }
  return JSON.parse(await text("GET", `${path}${given.size ? `?${given}` : ""}`, null, signal));
}

/**
 * @param {"POST" | "PUT" | "DELETE"} method
 * @param {string} path
 * @param {Record<string, unknown>} body
 * @returns {Promise<any>}
 */
export async function send(method, path, body = {}) {
  const answer = await text(method, path, JSON.stringify(body), null);
  return answer ? JSON.parse(answer) : null;
}

/**
 * What is asked for when something has changed, but not more often than a few times a second.
 * @param {() => Promise<void>} ask
 * @returns {() => void}
 */
export function paced(ask) {
  let timer = 0;
  return () => {
    timer ||= setTimeout(() => {
      timer = 0;
      void ask();
    }, 200);
  };
}

/** A part of a path. @param {string} text */
export const part = (text) => encodeURIComponent(text);

/**
 * @param {string} method
 * @param {string} path
 * @param {string | null} body
 * @param {AbortSignal | null} signal
 */
async function text(method, path, body, signal) {
  /** @type {Response} */ let answer;
  /** @type {string} */ let said;
  const headers =
    method === "GET" ? {} : { "Content-Type": "application/json", "X-Devbridge": "1" };
  try {
    answer = await fetch(`/api/${path}`, {
      method,
      body,
      signal,
      headers: /** @type {HeadersInit} */ (headers),
    });
    said = await answer.text();
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(0, { message: "devbridge does not answer" });
  }
  if (answer.ok) return said;
  /** @type {any} */ let told = null;
  try {
    told = JSON.parse(said).error;
  } catch {
    // Not of ours: its status says enough.
  }
  throw new ApiError(answer.status, told ?? { message: `${answer.status} ${answer.statusText}` });
}
