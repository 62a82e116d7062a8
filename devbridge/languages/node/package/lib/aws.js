/** The two calls of AWS that are made here: Lambda's Invoke and SSM's GetParameters. */
import { credentials } from "./credentials.js";
import { CloudError } from "./errors.js";
import { reason, send } from "./http.js";
import { encoded, signed } from "./sigv4.js";

const TRIES = 3;
/** Ms by which this machine's clock may differ: AWS refuses 5 minutes and more. */
const SKEW = 4 * 60 * 1000;
/** @type {[RegExp, string][]} */
const DOMAINS = [
  [/^cn-/, "amazonaws.com.cn"],
  [/^eusc-/, "amazonaws.eu"],
  [/^us-iso-/, "c2s.ic.gov"],
  [/^us-isob-/, "sc2s.sgov.gov"],
  [/^us-isof-/, "csp.hci.ic.gov"],
  [/^eu-isoe-/, "cloud.adc-e.uk"],
];

/** Ms that AWS's clock is before this machine's. */
let ahead = 0;

/**
 * Lambda's Invoke, which waits for the answer.
 * @param {string} functionName
 * @param {Uint8Array} body
 * @returns {Promise<{ failed: boolean, payload: string }>}
 * @throws {CloudError} Lambda did not answer, or refused
 */
export async function invoke(functionName, body) {
  const path = `/2015-03-31/functions/${encoded(functionName)}/invocations`;
  const answer = await call("lambda", path, body, {
    "content-type": "application/json",
    "x-amz-invocation-type": "RequestResponse",
  }, 20_000);
  return {
    failed: answer.headers["x-amz-function-error"] !== undefined,
    payload: answer.body.toString("utf8"),
  };
}

/**
 * SSM's GetParameters, decrypted: name -> value of those that exist.
 * @param {string[]} names 10 at most
 * @returns {Promise<Record<string, string>>}
 * @throws {CloudError} SSM did not answer, or refused
 */
export async function getParameters(names) {
  const body = Buffer.from(JSON.stringify({ Names: names, WithDecryption: true }));
  const answer = await call("ssm", "/", body, {
    "content-type": "application/x-amz-json-1.1",
    "x-amz-target": "AmazonSSM.GetParameters",
  }, 10_000);
  /** @type {{ Parameters: { Name: string, Value: string }[] }} */
  const found = JSON.parse(answer.body.toString("utf8"));
  return Object.fromEntries(found.Parameters.map(({ Name, Value }) => [Name, Value]));
}

/**
 * The region that the environment names.
 * @throws {CloudError} it names none
 */
export function region() {
  const found = process.env.AWS_REGION || process.env.AWS_DEFAULT_REGION;
  if (found) return found;
  throw new CloudError("the environment names no AWS region", {
    where: "AWS_REGION",
    remedy: "set it, or start the program with `devbridge bind -- COMMAND`",
  });
}

/**
 * Where a service is asked.
 * @param {string} service
 * @param {string} at the region
 */
export function endpoint(service, at) {
  const ignored = process.env.AWS_IGNORE_CONFIGURED_ENDPOINT_URLS?.toLowerCase() === "true";
  const own = process.env[`AWS_ENDPOINT_URL_${service.toUpperCase()}`] || process.env.AWS_ENDPOINT_URL;
  if (own && !ignored) {
    if (URL.canParse(own)) return own.replace(/\/+$/, "");
    throw new CloudError(`the endpoint ${own} is no URL`, { where: "AWS_ENDPOINT_URL" });
  }
  const domain = DOMAINS.find(([regions]) => regions.test(at))?.[1] ?? "amazonaws.com";
  return `https://${service}.${at}.${domain}`;
}

/**
 * @param {string} service
 * @param {string} path
 * @param {Uint8Array} body
 * @param {Record<string, string>} headers
 * @param {number} timeout in ms
 */
async function call(service, path, body, headers, timeout) {
  const at = region();
  const url = new URL(endpoint(service, at) + path);
  let why = "";
  for (let attempt = 0; attempt < TRIES; attempt++) {
    if (attempt) await pause(attempt);
    const own = await credentials();
    const date = new Date(Date.now() + ahead);
    const all = signed({
      method: "POST", url, headers, body, service, region: at, credentials: own, date,
    });
    let answer;
    try {
      answer = await send({ method: "POST", url, headers: all, body, timeout });
    } catch (error) {
      why = reason(error);
      continue;
    }
    if (answer.status < 300) return answer;
    const refusal = refused(answer);
    why = refusal.text;
    if (answer.status < 500 && !refusal.busy && !corrected(answer)) break;
  }
  throw new CloudError(`${service} did not do what it was asked: ${why}`, { where: url.href });
}

/**
 * Whether the clocks differ so much that a signature made by AWS's may be taken.
 * @param {import("./http.js").Answer} answer
 */
function corrected(answer) {
  const theirs = Date.parse(answer.headers.date ?? "");
  if (Number.isNaN(theirs) || Math.abs(theirs - (Date.now() + ahead)) < SKEW) return false;
  ahead = theirs - Date.now();
  return true;
}

/**
 * Why AWS refused, and whether it only had too much to do.
 * @param {import("./http.js").Answer} answer
 */
function refused(answer) {
  /** @type {any} */
  let found = {};
  try {
    found = JSON.parse(answer.body.toString("utf8"));
  } catch {
    // A proxy's page, or nothing: its status says more.
  }
  const named = String(answer.headers["x-amzn-errortype"] ?? found.__type ?? found.Code ?? "");
  const kind = named.split(":")[0]?.split("#").at(-1) || `HTTP ${answer.status}`;
  const message = found.message ?? found.Message;
  const busy = answer.status === 429 || /throttl|toomanyrequests/i.test(kind);
  return { text: message ? `${kind}: ${message}` : kind, busy };
}

/** @param {number} attempt */
function pause(attempt) {
  return new Promise((resolve) => setTimeout(resolve, 200 * 2 ** attempt * Math.random()));
}
