/**
 * AWS Signature Version 4, for requests whose whole body is at hand.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
import { createHash, createHmac } from "node:crypto";

/**
 * @typedef {object} Credentials
 * @property {string} accessKeyId
 * @property {string} secretAccessKey
 * @property {string} [sessionToken]
 * @property {number} [expires] in ms since the epoch
 */

/**
 * The headers of a request, with its signature.
 * @param {object} request
 * @param {string} request.method
 * @param {URL} request.url its path is percent-encoded once, as it is sent
 * @param {Record<string, string>} request.headers
 * @param {Uint8Array | string} request.body
 * @param {string} request.service
 * @param {string} request.region
 * @param {Credentials} request.credentials
 * @param {Date} request.date
 * @returns {Record<string, string>} by lower-case names
 */
export function signed({ method, url, headers, body, service, region, credentials, date }) {
  const time = date.toISOString().replace(/[-:]|\.\d+/g, "");
  const day = time.slice(0, 8);
  /** @type {Record<string, string>} */
  const all = { host: url.host, "x-amz-date": time };
  for (const [name, value] of Object.entries(headers)) all[name.toLowerCase()] = value;
  if (credentials.sessionToken) all["x-amz-security-token"] = credentials.sessionToken;
  const names = Object.keys(all).sort();
  const canonical = [
    method,
    // All services but S3 sign the path that is sent, encoded once more.
    url.pathname.split("/").map(encoded).join("/"),
    query(url),
    ...names.map((name) => `${name}:${all[name]?.trim().replace(/ +/g, " ")}`),
    "",
    names.join(";"),
    sha256(body),
  ].join("\n");
  const scope = `${day}/${region}/${service}/aws4_request`;
  const text = ["AWS4-HMAC-SHA256", time, scope, sha256(canonical)].join("\n");
  let key = hmac(`AWS4${credentials.secretAccessKey}`, day);
  for (const part of [region, service, "aws4_request"]) key = hmac(key, part);
  const signature = createHmac("sha256", key).update(text).digest("hex");
  all["authorization"] =
    `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${scope}, ` +
    `SignedHeaders=${names.join(";")}, Signature=${signature}`;
  return all;
}

/**
 * Percent-encoded as the specification has it: all but A-Z, a-z, 0-9, '-', '.', '_' and '~'.
 * @param {string} text
 */
export function encoded(text) {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** @param {URL} url */
function query(url) {
  const pairs = [...url.searchParams].map(([name, value]) => [encoded(name), encoded(value)]);
  return pairs
    .map((pair) => pair.join("="))
    .sort()
    .join("&");
}

/** @param {Uint8Array | string} data */
function sha256(data) {
  return createHash("sha256").update(data).digest("hex");
}

/**
 * @param {string | Buffer} key
 * @param {string} text
 */
function hmac(key, text) {
  return createHmac("sha256", key).update(text).digest();
}
