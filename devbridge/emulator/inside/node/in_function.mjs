// Runs each Node function of the embedded cloud, in place of ministack's own script: handlers are
// found and called, errors and the log are written as AWS Lambda's runtime does it (`aws-lambda-ric`:
// version 3 is that of nodejs22.x, version 4 that of nodejs24.x and newer).
//
// Arguments: a mark before what is for the embedded cloud, a mark for a line break within an event of
// the log, the runtime, and a line for the log or nothing.

import { realpathSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

import { documentOf, failure, logError, replacePath } from "./errors.mjs";
import { load, offerGlobals } from "./handler.mjs";
import { invoke, nothingLeft } from "./invocation.mjs";
import { answer, HAS_CALLBACKS, line, MARK, next, NOTE, patchConsole, RUNTIME, setRequestId } from "./wire.mjs";

/** @param {object} document */
const answerError = (document) =>
  answer(JSON.stringify({ status: "error", error: MARK + JSON.stringify(document) }));

/**
 * The process cannot go on.
 *
 * @param {unknown} error
 * @param {number} code
 */
function end(error, code) {
  process.removeListener("exit", exits);
  answerError(documentOf(error));
  process.exit(code);
}

/** @param {number} code */
const exits = (code) => answerError({ exit: code });

/** Node 24's runtime leaves these to node itself. */
function listen() {
  process.on("uncaughtException", (error) => {
    logError("Uncaught Exception", error);
    end(error, 129);
  });
  process.on("unhandledRejection", (reason, promise) => {
    const error = failure("UnhandledPromiseRejection", String(reason));
    Object.assign(error, { reason, promise });
    logError("Unhandled Promise Rejection", error);
    end(error, 128);
  });
  process.on("beforeExit", nothingLeft);
}

/**
 * Prepares the process and loads the handler.
 *
 * @param {any} init
 */
async function start(init) {
  const root = realpathSync(init.code_dir);
  const handler = `${init.module}.${init.handler}`;
  replacePath(dirname(import.meta.url), "file:///var/runtime");
  replacePath(dirname(fileURLToPath(import.meta.url)), "/var/runtime");
  replacePath(pathToFileURL(root).href, "file:///var/task");
  replacePath(root, "/var/task");
  process.env.LAMBDA_TASK_ROOT = root;
  process.env.AWS_EXECUTION_ENV = `AWS_Lambda_${RUNTIME}`;
  process.env._HANDLER = handler;
  process.env.AWS_LAMBDA_LOG_GROUP_NAME ??= `/aws/lambda/${init.function_name}`;
  process.env.TZ ??= ":UTC";
  patchConsole();
  offerGlobals();
  const outside = new URL("only_own.mjs", import.meta.url);
  outside.searchParams.set("root", dirname(root));
  await import(outside.href);
  return load(root, handler);
}

/** @type {string[]} */
let ofInvocation = [];

/**
 * Puts the variables of an invocation in place of the last one's.
 *
 * @param {any} request
 */
function putVariables(request) {
  for (const name of ofInvocation) delete process.env[name];
  const found = { ...request.durable };
  if (request.trace_id) found._X_AMZN_TRACE_ID = request.trace_id;
  for (const [name, value] of Object.entries(found)) process.env[name] = String(value);
  ofInvocation = Object.keys(found);
}

async function main() {
  if (NOTE) line(NOTE);
  process.on("exit", exits);
  if (HAS_CALLBACKS) listen();
  const init = await next();
  let handler;
  try {
    handler = await start(init);
  } catch (error) {
    logError(HAS_CALLBACKS ? "Uncaught Exception" : "Init Error", error);
    return end(error, 1);
  }
  process.removeListener("exit", exits);
  answer('{"status": "ready", "cold": true}');
  for (let asked = await next(); asked; asked = await next()) {
    setRequestId(asked.ctx.request_id);
    putVariables(asked.ctx);
    await invoke(handler, asked.event, asked.ctx);
  }
  return process.exit();
}

// Not awaited here: a handler that never settles then ends the process with code 0, as on AWS.
main();
