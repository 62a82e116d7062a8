/** A Lambda and an SSM of the test's own, and an environment that ends with the test. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * A server that answers with what `answer` makes of a request, and keeps all requests.
 * @param {import("node:test").TestContext} t
 * @param {(request: any, count: number) => any} answer { status, headers, body }; null: no answer
 */
export async function served(t, answer) {
  const requests = [];
  const server = createServer((request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      const { method, url, headers } = request;
      requests.push({ method, url, headers, body: Buffer.concat(chunks).toString() });
      const found = answer(requests.at(-1), requests.length);
      if (found === null) return request.socket.destroy();
      const { status = 200, headers: more = {}, body = {} } = found;
      response.writeHead(status, { "content-type": "application/json", ...more });
      response.end(typeof body === "string" ? body : JSON.stringify(body));
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${server.address().port}`, requests };
}

/**
 * An environment with these variables, and none of AWS's or devbridge's of whoever runs the test.
 * @param {import("node:test").TestContext} t
 * @param {Record<string, string | undefined>} variables
 */
export function environment(t, variables) {
  const before = { ...process.env };
  for (const name of Object.keys(process.env)) {
    if (/^(AWS|DEVBRIDGE|LAMBDA)_/.test(name)) delete process.env[name];
  }
  Object.assign(process.env, variables);
  t.after(() => {
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
    Object.assign(process.env, before);
  });
}

export const KEYS = {
  AWS_ACCESS_KEY_ID: "AKIDEXAMPLE",
  AWS_SECRET_ACCESS_KEY: "secret",
  AWS_REGION: "eu-west-1",
};

/**
 * A folder that goes with the test.
 * @param {import("node:test").TestContext} t
 */
export function folder(t) {
  const made = mkdtempSync(join(tmpdir(), "devbridge-"));
  t.after(() => rmSync(made, { recursive: true }));
  return made;
}
