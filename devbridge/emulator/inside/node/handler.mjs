// Finds the function that a handler's path names, by the rules of its runtime.

import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

import { failure } from "./errors.mjs";
import { HAS_CALLBACKS } from "./wire.mjs";

const require = createRequire(import.meta.url);
const STREAMS = Symbol.for("aws.lambda.runtime.handler.streaming");
const CALLBACKS_ENDED =
  "ERROR: AWS Lambda has removed support for callback-based function handlers starting with " +
  "Node.js 24. You need to modify this function to use a supported handler signature to use " +
  "Node.js 24 or later. For more information see " +
  "https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html.";
const CALLBACKS_END =
  "AWS Lambda plans to remove support for callback-based function handlers starting with Node.js " +
  "24. You will need to update this function to use an async handler to use Node.js 24 or later. " +
  "For more information and to provide feedback on this change, see " +
  "https://github.com/aws/aws-lambda-nodejs-runtime-interface-client/issues/137. To disable this " +
  "warning, set the AWS_LAMBDA_NODEJS_DISABLE_CALLBACK_WARNING environment variable.";

/** @param {Function} handler */
export const isAsync = (handler) => handler.constructor?.name === "AsyncFunction";

/** What the runtime offers in each function; the embedded cloud tells of what it has not. */
export function offerGlobals() {
  const streamifyResponse = (/** @type {any} */ handler) =>
    Object.assign(handler, { [STREAMS]: "response" });
  Object.assign(globalThis, { awslambda: { streamifyResponse } });
}

/** @param {string} file */
function isModule(file) {
  let folder = dirname(file);
  while (basename(folder) !== "node_modules") {
    const place = join(folder, "package.json");
    if (existsSync(place)) {
      try {
        return JSON.parse(readFileSync(place, "utf8")).type === "module";
      } catch {
        return false;
      }
    }
    if (folder === dirname(folder)) break;
    folder = dirname(folder);
  }
  return false;
}

/**
 * @param {string} root
 * @param {string} folder
 * @param {string} name
 */
async function loadModule(root, folder, name) {
  const file = resolve(root, folder, name);
  for (const suffix of ["", ".js", ".mjs", ".cjs"]) {
    const path = file + suffix;
    if (!existsSync(path)) continue;
    const imports =
      !HAS_CALLBACKS || suffix === ".mjs" || (suffix === ".js" && isModule(path));
    return imports ? import(pathToFileURL(path).href) : require(path);
  }
  return require(require.resolve(name, { paths: [root, join(root, folder)] }));
}

/**
 * @param {string} path
 * @param {any} object
 */
const property = (path, object) => path.split(".").reduce((inner, key) => inner?.[key], object);

/**
 * The function.
 *
 * @param {string} root
 * @param {string} handler
 * @returns {Promise<Function>}
 */
export async function load(root, handler) {
  if (handler.includes("..")) {
    const rest = "Use absolute paths when specifying root directories in handler names.";
    throw failure("MalformedHandlerName", `'${handler}' is not a valid handler name. ${rest}`);
  }
  const last = basename(handler);
  const parts = /^([^.]*)\.(.*)$/.exec(last);
  if (!parts) throw failure("MalformedHandlerName", "Bad handler");
  let module;
  try {
    module = await loadModule(root, handler.slice(0, handler.indexOf(last)), parts[1]);
  } catch (error) {
    if (error instanceof SyntaxError) {
      // The original's stack has the line that is wrong.
      throw failure("UserCodeSyntaxError", String(error), error.stack);
    }
    if (/** @type {NodeJS.ErrnoException} */ (error)?.code === "MODULE_NOT_FOUND") {
      throw failure("ImportModuleError", String(error));
    }
    throw error;
  }
  let found = property(parts[2], module);
  if (!found && !HAS_CALLBACKS) found = property(parts[2], module?.default);
  if (!found) throw failure("HandlerNotFound", `${handler} is undefined or not exported`);
  if (typeof found !== "function") throw failure("HandlerNotFound", `${handler} is not a function`);
  if (found[STREAMS]) {
    throw failure("MalformedStreamingHandler", "the embedded cloud runs no handlers that stream");
  }
  checkCallbacks(found);
  return found;
}

/** @param {Function} handler */
function checkCallbacks(handler) {
  if (!HAS_CALLBACKS) {
    if (handler.length >= 3) throw failure("CallbackHandlerDeprecated", CALLBACKS_ENDED);
  } else if (handler.length === 3 && !isAsync(handler)) {
    const hushed = process.env.AWS_LAMBDA_NODEJS_DISABLE_CALLBACK_WARNING !== undefined;
    if (!hushed) console.warn(CALLBACKS_END);
  }
}
