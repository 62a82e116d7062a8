/** One request by HTTP or HTTPS, with all of its answer. */

/**
 * @typedef {object} Answer
 * @property {number} status
 * @property {import("node:http").IncomingHttpHeaders} headers
 * @property {Buffer} body
 */

/**
 * Proxies are those that Node takes from its environment (NODE_USE_ENV_PROXY), connections are kept.
 * @param {object} request
 * @param {string} request.method
 * @param {URL} request.url
 * @param {Record<string, string>} request.headers
 * @param {Uint8Array} [request.body]
 * @param {number} request.timeout for all of it, in ms
 * @returns {Promise<Answer>}
 */
export async function send({ method, url, headers, body, timeout }) {
  const { request } =
    url.protocol === "https:" ? await import("node:https") : await import("node:http");
  const length = body ? { "content-length": String(body.length) } : {};
  return new Promise((resolve, reject) => {
    const made = request(
      url,
      { method, headers: { ...headers, ...length }, signal: AbortSignal.timeout(timeout) },
      (answer) => {
        /** @type {Buffer[]} */
        const chunks = [];
        answer.on("data", (chunk) => chunks.push(chunk));
        answer.on("error", (error) => reject(error));
        answer.on("end", () => {
          const { statusCode: status = 0, headers: found } = answer;
          resolve({ status, headers: found, body: Buffer.concat(chunks) });
        });
      },
    );
    made.on("error", (error) =>
      reject(error.name === "AbortError" ? new Error(`no answer in ${timeout / 1000} s`) : error),
    );
    made.end(body);
  });
}

/**
 * What went wrong with a request, in a line.
 * @param {unknown} error
 */
export function reason(error) {
  if (!(error instanceof Error)) return String(error);
  // All addresses of a name that refuse are one AggregateError without a message.
  const [first] = error instanceof AggregateError ? error.errors : [];
  return error.message || first?.message || /** @type {any} */ (error).code || error.name;
}
