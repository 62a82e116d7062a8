/**
 * AWS credentials of this process's environment: fixed ones, or those of a container's endpoint, as
 * `devbridge bind`, `devbridge dev`, CodeBuild and ECS give them.
 */
import { readFile } from "node:fs/promises";
import { isIP } from "node:net";

import { CredentialsError } from "./errors.js";
import { reason, send } from "./http.js";

/** @typedef {import("./sigv4.js").Credentials} Credentials */

/** Ms before their end at which credentials are fetched again. */
const EARLY = 5 * 60 * 1000;
const TIMEOUT = 5000;
const TRIES = 3;
/** The hosts of ECS and EKS, which answer by HTTP. */
const CONTAINER_HOSTS = ["169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"];
const REMEDY =
  "start the program with `devbridge bind -- COMMAND`, or give it AWS_ACCESS_KEY_ID and " +
  "AWS_SECRET_ACCESS_KEY";

/** @type {{ from: string, credentials: Credentials } | undefined} */
let fetched;
/** @type {Map<string, Promise<Credentials>>} */
const fetching = new Map();

/**
 * @returns {Promise<Credentials>}
 * @throws {CredentialsError} there are none, or they could not be fetched
 */
export async function credentials() {
  const {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_SESSION_TOKEN: sessionToken,
  } = process.env;
  if (accessKeyId && secretAccessKey) {
    return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) };
  }
  const url = endpoint();
  const known = fetched?.from === url.href ? fetched.credentials : undefined;
  if (known && left(known) > EARLY) return known;
  try {
    return await once(url);
  } catch (error) {
    // A broken endpoint is no problem before they end.
    if (known && left(known) > 0) return known;
    throw error;
  }
}

/** @param {Credentials} known */
function left(known) {
  return (known.expires ?? Infinity) - Date.now();
}

/** @param {URL} url */
function once(url) {
  let running = fetching.get(url.href);
  if (!running) {
    running = refreshed(url).finally(() => fetching.delete(url.href));
    fetching.set(url.href, running);
  }
  return running;
}

/** @param {URL} url */
async function refreshed(url) {
  const found = await ask(url);
  fetched = { from: url.href, credentials: found };
  return found;
}

/**
 * The endpoint that the environment names.
 * @throws {CredentialsError} it names none, or one that may not be asked
 */
export function endpoint() {
  const relative = process.env.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI;
  const full = process.env.AWS_CONTAINER_CREDENTIALS_FULL_URI;
  if (!relative && !full) {
    throw new CredentialsError("no AWS credentials were found in the environment", {
      where: "AWS_ACCESS_KEY_ID, AWS_CONTAINER_CREDENTIALS_FULL_URI",
      remedy: REMEDY,
    });
  }
  if (relative) return new URL(`http://169.254.170.2/${relative.replace(/^\/+/, "")}`);
  const where = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
  const url = URL.canParse(full ?? "") ? new URL(full ?? "") : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new CredentialsError("the credentials' endpoint is no URL", { where, remedy: REMEDY });
  }
  if (url.protocol === "http:" && !isNear(url.hostname)) {
    // As in AWS's SDKs: a token must not leave this machine unencrypted.
    throw new CredentialsError(
      `the credentials' endpoint ${url.origin} is neither https nor on this machine`,
      { where, remedy: "give an endpoint by https, or one on loopback" },
    );
  }
  return url;
}

/** @param {string} host */
function isNear(host) {
  const loopback = host === "localhost" || host === "[::1]" || (isIP(host) === 4 && /^127\./.test(host));
  return loopback || CONTAINER_HOSTS.includes(host);
}

async function token() {
  const file = process.env.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE;
  let found = process.env.AWS_CONTAINER_AUTHORIZATION_TOKEN;
  if (file) {
    try {
      found = (await readFile(file, "utf8")).trim(); // each time: its writer replaces it
    } catch (error) {
      throw new CredentialsError(`the credentials' token cannot be read: ${reason(error)}`, {
        where: `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE, ${file}`,
        cause: error,
      });
    }
  }
  if (found && /[\r\n]/.test(found)) {
    throw new CredentialsError("the credentials' token has a line break", {
      where: "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    });
  }
  return found;
}

/**
 * @param {URL} url
 * @returns {Promise<Credentials>}
 */
async function ask(url) {
  const authorization = await token();
  const headers = { accept: "application/json", ...(authorization ? { authorization } : {}) };
  let why = "";
  for (let attempt = 0; attempt < TRIES; attempt++) {
    try {
      const answer = await send({ method: "GET", url, headers, timeout: TIMEOUT });
      if (answer.status === 200) return read(answer.body);
      why = `HTTP ${answer.status} ${message(answer.body)}`.trim();
      if (answer.status < 500 && answer.status !== 429) break;
    } catch (error) {
      why = reason(error);
    }
    await new Promise((resolve) => setTimeout(resolve, 100 * 2 ** attempt * Math.random()));
  }
  throw new CredentialsError(`the AWS credentials could not be fetched: ${why}`, {
    where: url.origin,
  });
}

/**
 * @param {Buffer} body
 * @returns {Credentials}
 */
function read(body) {
  const found = JSON.parse(body.toString());
  if (typeof found?.AccessKeyId !== "string" || typeof found.SecretAccessKey !== "string") {
    throw new Error("its answer has no AccessKeyId and SecretAccessKey");
  }
  const expires = Date.parse(found.Expiration ?? "");
  return {
    accessKeyId: found.AccessKeyId,
    secretAccessKey: found.SecretAccessKey,
    ...(found.Token ? { sessionToken: found.Token } : {}),
    ...(Number.isNaN(expires) ? {} : { expires }),
  };
}

/** @param {Buffer} body */
function message(body) {
  try {
    const found = JSON.parse(body.toString());
    return String(found.message ?? found.Message ?? "");
  } catch {
    return "";
  }
}
