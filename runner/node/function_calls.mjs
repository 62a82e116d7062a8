/**
 * How a live function is called, and what is its answer: as AWS's own runtime for Node
 * (`aws-lambda-ric`) has it, whose version 3 is that of Node 22, and version 4 of Node 24 and newer.
 */

import { Fault } from "./failure.mjs";
import { encode } from "./results.mjs";

const STREAMS = Symbol.for("aws.lambda.runtime.handler.streaming");
const CALLBACKS_ENDED =
  "ERROR: AWS Lambda has removed support for callback-based function handlers starting with Node.js 24. " +
  "You need to modify this function to use a supported handler signature to use Node.js 24 or later. " +
  "For more information see https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html.";
const NEVER_SETTLED =
  "The Lambda runtime client detected an unexpected Node.js exit code. This is most commonly caused by " +
  "a Promise that was never settled. For more information, see https://nodejs.org/docs/latest/api/process.html#exit-codes";
/** What is said of a promise that nothing is left for. */
export const NOTHING_LEFT = "nothing is left that could settle it: no timer, no connection, no process";
const { parse, stringify } = JSON; // the user's code may replace them
const now = Date.now;
const turn = setImmediate;

/** @typedef {Record<string, any>} Context */

/** Whether the runtime has callbacks, and waits for an empty event loop. @param {NodeJS.ProcessEnv} environment */
export function hasCallbacks(environment) {
  const runtime = /nodejs(\d+)/.exec(environment.AWS_EXECUTION_ENV ?? "")?.[1];
  return Number(runtime ?? process.versions.node.split(".")[0]) < 24;
}

/** What Lambda offers to all code. */
export function offerGlobals() {
  const given = /** @type {any} */ (globalThis);
  const streamifyResponse = (/** @type {any} */ handler) => Object.assign(handler, { [STREAMS]: "response" });
  given.awslambda = { ...given.awslambda, streamifyResponse };
  given.console.fatal ??= console.error;
}

/**
 * @param {any} handler
 * @param {boolean} callbacks
 * @throws {Fault} Lambda, or devbridge, does not take such a handler.
 */
export function check(handler, callbacks) {
  if (handler[STREAMS]) {
    const why = "devbridge dev cannot stream answers: return the answer, or have Lambda run the function with enable_live_dev=False";
    throw new Fault("Runtime.MalformedStreamingHandler", why);
  }
  if (!callbacks && handler.length >= 3) throw new Fault("Runtime.CallbackHandlerDeprecated", CALLBACKS_ENDED);
}

/**
 * The context of one request.
 * @param {Record<string, string>} headers the Runtime API's, in lower case.
 * @param {NodeJS.ProcessEnv} environment
 * @param {() => number} halted milliseconds for which the request's time did not pass.
 * @returns {Context}
 * @throws {Fault} one of them is no JSON.
 */
export function contextOf(headers, environment, halted) {
  const deadline = Number(headers["lambda-runtime-deadline-ms"]);
  return {
    functionVersion: environment.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: environment.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: environment.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: environment.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: environment.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: parsed(headers["lambda-runtime-client-context"], "ClientContext"),
    identity: parsed(headers["lambda-runtime-cognito-identity"], "CognitoIdentity"),
    invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
    awsRequestId: headers["lambda-runtime-aws-request-id"],
    tenantId: headers["lambda-runtime-aws-tenant-id"],
    getRemainingTimeInMillis: () => deadline + halted() - now(),
  };
}

/** @param {string | undefined} text @param {string} what */
function parsed(text, what) {
  if (!text) return undefined;
  try {
    return parse(text);
  } catch (error) {
    throw new Fault("Error", `Cannot parse ${what} as json: ${error}`);
  }
}

/**
 * The answer, as Node 24's runtime has it.
 * @param {Function} handler
 * @param {unknown} event
 * @param {Context} context
 * @returns {Promise<Buffer>}
 */
export async function answer(handler, event, context) {
  try {
    return written(await handler(event, context), "Runtime.JSONStringifyError");
  } finally {
    await new Promise((resolve) => turn(resolve)); // a promise that nobody handles is found meanwhile
  }
}

/**
 * The answer, as Node 22's runtime has it.
 * @param {any} handler
 * @param {unknown} event
 * @param {Context} context
 * @param {(what?: () => void) => void} whenEmpty sets what is done when the event loop is empty.
 * @returns {Promise<Buffer>}
 */
export function answerOrCallBack(handler, event, context, whenEmpty) {
  return new Promise((resolve, reject) => {
    let waits = true;
    let called = false;
    const isError = (/** @type {unknown} */ error) => error !== undefined && error !== null;
    const succeed = (/** @type {unknown} */ result) => resolve(written(result, "Error"));
    const done = (/** @type {unknown} */ error, /** @type {unknown} */ result = undefined) => {
      whenEmpty();
      if (isError(error)) reject(error);
      else succeed(result);
    };
    /** @param {(first?: unknown, second?: unknown) => void} what */
    const once = (what) => (/** @type {unknown[]} */ ...given) => {
      if (called) return;
      what(...given);
      called = true;
    };
    const callback = once((error, result) => {
      if (isError(error) || !waits) done(error, result);
      else whenEmpty(() => turn(() => succeed(result)));
    });
    Object.defineProperty(context, "callbackWaitsForEmptyEventLoop", {
      enumerable: true,
      get: () => waits,
      set: (value) => (waits = value),
    });
    context.succeed = once((result) => done(null, result));
    context.fail = once((error) => done(isError(error) ? error : "handled"));
    context.done = once(done);
    whenEmpty(() => {
      if (handler.constructor?.name === "AsyncFunction") reject(neverSettled("Runtime.NodeJsExit", NEVER_SETTLED));
      else succeed(null);
    });
    try {
      const result = handler(event, context, callback);
      if (typeof result?.then === "function") result.then(context.succeed, context.fail).catch(context.fail);
    } catch (error) {
      callback(error);
    }
  });
}

/** The handler's promise will never be settled. @param {string} kind @param {string} told */
export function neverSettled(kind, told) {
  return new Fault(kind, told, { message: `the handler's promise never settled: ${NOTHING_LEFT}` });
}

/** @param {unknown} result @param {string} kind of the error. @throws {Fault} it has no JSON form. */
function written(result, kind) {
  let text;
  try {
    text = stringify(result === undefined ? null : result);
  } catch (error) {
    const told = "Unable to stringify response body";
    throw new Fault(kind, told, { cause: whyNot(result, error) });
  }
  return Buffer.from(text ?? "null");
}

/** Where in a result the value is that JSON does not have. @param {unknown} result @param {unknown} error */
function whyNot(result, error) {
  try {
    encode(result);
    return error;
  } catch (found) {
    return found;
  }
}
