// One invocation: the handler is called, and its end is answered.

import { documentOf, failure, logError } from "./errors.mjs";
import { isAsync } from "./handler.mjs";
import { answer, HAS_CALLBACKS, MARK, printed } from "./wire.mjs";

const NEVER_SETTLED =
  "The Lambda runtime client detected an unexpected Node.js exit code. This is most commonly " +
  "caused by a Promise that was never settled. For more information, see " +
  "https://nodejs.org/docs/latest/api/process.html#exit-codes";

/** @typedef {Record<string, any>} Context */

/**
 * The answer with a result.
 *
 * @param {unknown} result
 */
function success(result) {
  let body;
  try {
    body = JSON.stringify(result === undefined ? null : result);
  } catch {
    const what = "Unable to stringify response body";
    throw HAS_CALLBACKS ? new Error(what) : failure("JSONStringifyError", what);
  }
  return `{"status": "ok", "result": ${body ?? "null"}}`;
}

/**
 * The answer with an error. The process goes on, as on AWS: to ministack this is a result.
 *
 * @param {unknown} error
 */
function failed(error) {
  logError("Invoke Error", error);
  return JSON.stringify({ status: "ok", result: { [MARK]: documentOf(error) } });
}

/**
 * The context that a handler gets.
 *
 * @param {any} request
 * @returns {Context}
 */
function contextOf(request) {
  const deadline = Date.now() + Number(request.timeout_ms);
  return {
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: undefined,
    identity: undefined,
    invokedFunctionArn: request.invoked_function_arn,
    awsRequestId: request.request_id,
    tenantId: undefined,
    getRemainingTimeInMillis: () => deadline - Date.now(),
  };
}

let beforeExit = () => {};

/** Nothing is left to be done: Node 22's runtime answers then. */
export const nothingLeft = () => beforeExit();

/**
 * As version 3 of AWS's runtime client does it: with callbacks.
 *
 * @param {Function} handler
 * @param {unknown} event
 * @param {Context} context
 */
function callBack(handler, event, context) {
  return new Promise((/** @type {(_?: unknown) => void} */ resolve) => {
    let waits = true;
    let called = false;
    const isError = (/** @type {unknown} */ error) => error !== undefined && error !== null;
    const done = (/** @type {string} */ message) => {
      beforeExit = () => {};
      printed().then(() => {
        answer(message);
        setImmediate(resolve);
      });
    };
    const complete = (/** @type {unknown} */ error, /** @type {unknown} */ result) =>
      done(isError(error) ? failed(error) : success(result));
    /** @param {(error?: unknown, result?: unknown) => void} what */
    const once = (what) => (/** @type {unknown[]} */ ...given) => {
      if (called) return;
      what(...given);
      called = true;
    };
    const callback = once((error, result) => {
      if (isError(error) || !waits) complete(error, result);
      else beforeExit = () => setImmediate(() => complete(null, result));
    });
    Object.defineProperty(context, "callbackWaitsForEmptyEventLoop", {
      enumerable: true,
      get: () => waits,
      set: (value) => {
        waits = value;
      },
    });
    context.succeed = once((result) => complete(null, result));
    context.fail = once((error) => complete(isError(error) ? error : "handled", null));
    context.done = once(complete);
    beforeExit = () =>
      done(isAsync(handler) ? failed(failure("NodeJsExit", NEVER_SETTLED)) : success(null));
    try {
      const result = handler(event, context, callback);
      if (typeof result?.then === "function") {
        result.then(context.succeed, context.fail).catch(context.fail);
      }
    } catch (error) {
      callback(error);
    }
  });
}

/**
 * As version 4 of AWS's runtime client does it.
 *
 * @param {Function} handler
 * @param {unknown} event
 * @param {Context} context
 */
async function call(handler, event, context) {
  let message;
  try {
    message = success(await handler(event, context));
  } catch (error) {
    message = failed(error);
  }
  await printed();
  answer(message);
}

/**
 * Calls the handler; done when it is answered.
 *
 * @param {Function} handler
 * @param {unknown} event
 * @param {any} request what comes beside the event
 */
export function invoke(handler, event, request) {
  return (HAS_CALLBACKS ? callBack : call)(handler, event, contextOf(request));
}
