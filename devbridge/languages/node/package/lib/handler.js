/** The wrapper of a job's handler: what is checked and fetched before it runs. */
import { types } from "node:util";

import { PayloadInvalid, UnknownJob } from "./errors.js";
import { check } from "./schema.js";
import { fetchSecrets } from "./secrets.js";

/** The symbol under which a handler carries its job's name and its payload's schema. */
export const MARK = Symbol.for("devbridge.handler");

/**
 * Make a function the handler of job `name`.
 * @param {string} name
 * @param {any} options { payload: a Standard Schema }, or the function
 * @param {any} [last] the function
 */
export function jobHandler(name, options, last) {
  const handler = typeof options === "function" ? options : last;
  const schema = typeof options === "function" ? undefined : options?.payload;
  if (typeof name !== "string" || typeof handler !== "function") {
    throw new TypeError('write jobHandler("name", async (payload, context) => ...)');
  }
  if (schema !== undefined && typeof schema?.["~standard"]?.validate !== "function") {
    throw new TypeError(`jobHandler("${name}"): payload is no Standard Schema, as zod, valibot and arktype make`);
  }
  /** @param {unknown} payload */
  const checked = async (payload) => {
    const running = process.env.DEVBRIDGE_JOB_NAME ?? name;
    if (running !== name) {
      throw new UnknownJob(`this handler is for job '${name}', and was called for job '${running}'`, {
        where: process.env._HANDLER ?? "jobHandler",
        remedy: `write jobHandler("${running}", ...), or correct the job's handler in app.py`,
      });
    }
    check(name, payload);
    const value = schema ? await validated(name, schema, payload) : payload;
    await fetchSecrets();
    return value;
  };
  const call = types.isGeneratorFunction(handler) ? generator(checked, handler) : plain(checked, handler);
  return Object.defineProperty(call, MARK, { value: Object.freeze({ job: name, schema, handler }) });
}

/** @param {(payload: unknown) => Promise<unknown>} checked @param {Function} handler */
function plain(checked, handler) {
  /** @param {unknown} [payload] @param {unknown} [context] */
  return async (payload = null, context) => handler(await checked(payload), context);
}

/** What yields is one that does, too. @param {(payload: unknown) => Promise<unknown>} checked @param {Function} handler */
function generator(checked, handler) {
  /** @param {unknown} [payload] @param {unknown} [context] */
  return async function* (payload = null, context) {
    return yield* handler(await checked(payload), context);
  };
}

/**
 * The payload as a Standard Schema has it: https://standardschema.dev
 * @param {string} job
 * @param {any} schema
 * @param {unknown} payload
 */
async function validated(job, schema, payload) {
  const result = await schema["~standard"].validate(payload);
  if (!result.issues) return result.value;
  const [first, ...others] = result.issues;
  const more = others.length ? `; and ${others.length} more: ${others.map(told).join("; ")}` : "";
  throw new PayloadInvalid(`the payload is not what job '${job}' takes: ${first?.message}${more}`, {
    where: place(first),
    remedy: "send what its handler declares ($ is the payload itself)",
  });
}

/** @param {any} issue */
function told(issue) {
  return `${place(issue)}: ${issue.message}`;
}

/** @param {any} issue */
function place(issue) {
  return (issue?.path ?? []).reduce((/** @type {string} */ path, /** @type {any} */ part) => {
    const key = typeof part === "object" && part !== null ? part.key : part;
    return typeof key === "number" ? `${path}[${key}]` : `${path}.${String(key)}`;
  }, "$");
}
