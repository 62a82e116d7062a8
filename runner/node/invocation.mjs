/**
 * One invocation: import the handler, wait for the payload, run, answer, end. The meaning is that
 * of `runner/worker.py`. (A live function's worker handles one after the other: `function.mjs`.)
 *
 * Exit codes: 0 when the answer was posted, result or error; 1 when the handler could not be
 * loaded, an error was caught by nobody, or the Runtime API went away; a handler's
 * `process.exit(n)` is reported and its code kept. After the answer the process goes on until its
 * event loop is empty, as any Node program does.
 */

import { readFileSync } from "node:fs";
import module from "node:module";
import path from "node:path";
import { beginning, Checkpoints, isGenerator } from "./checkpoints.mjs";
import { Context } from "./context.mjs";
import { describe, NeverSettled, ProcessExit } from "./failure.mjs";
import { Place } from "./frames.mjs";
import { watch } from "./lingering.mjs";
import { loadConnected } from "./loading.mjs";
import { watchLookups } from "./lookups.mjs";
import { decode } from "./payload.mjs";
import { encode } from "./results.mjs";
import { RuntimeApiGone, RuntimeClient } from "./runtime_api.mjs";
import { Termination } from "./termination.mjs";
import { triggered, variables } from "./triggered.mjs";

const EXIT_FAILED = 1;
/** As `runner.outcome.NOTE`: what a line begins with that devbridge writes into a run's output. */
const NOTE = "--- devbridge: ";
/** What only this module needs of the environment: the user's code does not see it. */
const OURS = ["DEVBRIDGE_BUNDLE", "DEVBRIDGE_MODULES", "DEVBRIDGE_RECORD", "DEVBRIDGE_NOTE", "DEVBRIDGE_FUNCTION"];
/** The file that tells for how long debuggers have halted this process, if any may. */
const DEBUGGER = "DEVBRIDGE_DEBUGGER";
/** How many seconds pass from one checkpoint that is stored to the next. */
const SECONDS = "DEVBRIDGE_CHECKPOINT_SECONDS";
/** Frames of a stack: more than V8's ten, of which a library may have all. */
const STACK = 100;
const exit = process.exit.bind(process);
const turn = setImmediate;

/** What a worker has before anything is imported that is not ours: maps, and long stacks. */
export function prepare() {
  const { setSourceMapsSupport } = /** @type {any} */ (module);
  if (setSourceMapsSupport) setSourceMapsSupport(true, { nodeModules: false });
  else process.setSourceMapsEnabled(true);
  Error.stackTraceLimit = STACK;
}

/** Run the one invocation that the environment describes, or all of a function's. */
export async function main() {
  // Else what does not fit into the pipe at once is lost with `process.exit`.
  for (const stream of [process.stdout, process.stderr]) {
    /** @type {any} */ (stream)._handle?.setBlocking?.(true);
  }
  const environment = process.env;
  const root = path.resolve(/** @type {string} */ (environment.LAMBDA_TASK_ROOT));
  const handler = /** @type {string} */ (environment._HANDLER);
  const bundle = environment.DEVBRIDGE_BUNDLE || undefined;
  const modules = environment.DEVBRIDGE_MODULES || undefined;
  const address = /** @type {string} */ (environment.AWS_LAMBDA_RUNTIME_API);
  const halts = environment[DEBUGGER] || undefined;
  const seconds = environment[SECONDS];
  const isFunction = Boolean(environment.DEVBRIDGE_FUNCTION);
  for (const name of [...OURS, DEBUGGER, SECONDS]) delete environment[name];
  const client = new RuntimeClient(address);
  let worker;
  if (isFunction) {
    const { LiveFunction } = await import("./function.mjs"); // most are jobs'
    worker = new LiveFunction(client, handler, root, bundle, modules, halts);
  } else {
    const termination = new Termination();
    const checkpoints = new Checkpoints(address, termination, seconds, note);
    worker = new Invocation(client, termination, checkpoints, handler, root, bundle, modules, halts);
  }
  try {
    await worker.run();
  } catch (error) {
    if (!(error instanceof RuntimeApiGone)) throw error;
    process.stderr.write(`runner: ${error.message}\n`);
    worker.phase = "ended";
    exit(EXIT_FAILED);
  }
}

class Invocation {
  /** @type {"loading" | "waiting" | "running" | "answering" | "ended"} */ phase = "loading";
  /** What is being sent. @type {Buffer | undefined} */ #answer;
  #sending = false;
  #requestId = "";

  /**
   * @param {RuntimeClient} client
   * @param {Termination} termination
   * @param {Checkpoints} checkpoints
   * @param {string} handler
   * @param {string} root
   * @param {string | undefined} bundle
   * @param {string | undefined} modules the file with what is told of the bundle's modules.
   * @param {string | undefined} halts see `DEBUGGER`.
   */
  constructor(client, termination, checkpoints, handler, root, bundle, modules, halts) {
    this.client = client;
    this.termination = termination;
    this.checkpoints = checkpoints;
    this.handler = handler;
    this.root = root;
    this.bundle = bundle;
    this.modules = modules;
    this.halts = halts;
    this.place = new Place(root, handler, bundle);
  }

  async run() {
    this.#guard();
    let handler;
    try {
      handler = await loadConnected(this.client, this.handler, this.root, this.bundle, (file) => {
        this.place = new Place(this.root, this.handler, file);
        watchLookups(this.client.address, this.place);
      });
    } catch (error) {
      if (error instanceof RuntimeApiGone) throw error;
      await this.#failInit(describe(error, this.place));
      return;
    }
    if (this.phase !== "loading") return;
    this.phase = "waiting";
    const asked = this.client.next(this.#modulesMessage());
    rehearse(this.client);
    const { headers, body } = await asked;
    this.#requestId = headers["lambda-runtime-aws-request-id"];
    this.phase = "running";
    let message;
    try {
      const found = triggered(body);
      const payload = decode(found ? found.payload : body, note);
      message = await this.#answered(handler, payload, headers, found);
    } catch (error) {
      if (error instanceof RuntimeApiGone) throw error;
      await this.checkpoints.flush();
      if (this.phase === "running") message = this.#failure(describe(error, this.place));
    }
    if (this.phase === "running" && message) await this.#finish(message);
  }

  /**
   * What is sent when the handler has returned, or stops at a checkpoint.
   * @param {Function} handler
   * @param {unknown} payload
   * @param {Record<string, string>} headers
   * @param {import("./triggered.mjs").Triggered | undefined} found what has started the run.
   */
  async #answered(handler, payload, headers, found) {
    const custom = customOf(headers);
    const checkpoint = await beginning(this.client, custom);
    if (custom.stop_at) this.termination.until = Number(custom.stop_at) * 1000;
    const context = new Context(headers, process.env, await this.#debugged(), this.termination, checkpoint, found);
    Object.assign(process.env, variables(context));
    const result = await call(handler, payload, context);
    const end = isGenerator(result)
      ? await this.checkpoints.run(result)
      : { result, interrupted: this.termination.seen };
    if (end.interrupted) return this.client.message("/devbridge/interrupted", "");
    return this.client.message(this.#path("response"), encode(end.result));
  }

  /** Be open to debuggers, if any may come; what tells for how long they have halted this. */
  async #debugged() {
    const note = this.halts;
    if (note === undefined) return undefined;
    const { halted, open } = await import("./debugging.mjs");
    await open(this.client);
    return () => halted(note);
  }

  /** @param {string} end */
  #path(end) {
    return `/runtime/invocation/${this.#requestId}/${end}`;
  }

  /** @param {import("./failure.mjs").Failure} failure */
  #failure(failure) {
    const init = this.phase === "loading";
    return this.client.failure(init ? "/runtime/init/error" : this.#path("error"), failure);
  }

  /** @param {Buffer} message */
  async #finish(message) {
    this.#answer = message;
    this.phase = "answering";
    await this.checkpoints.close();
    for (const stream of [process.stdout, process.stderr]) {
      if (stream.writableLength > 0 && !stream.destroyed) await flushed(stream);
    }
    this.#sending = true;
    await this.client.send(message);
    this.phase = "ended";
    this.client.close();
    watch(this.client.address);
  }

  #modulesMessage() {
    if (this.modules === undefined) return undefined;
    return this.client.message("/devbridge/modules", readFileSync(this.modules));
  }

  /** @param {import("./failure.mjs").Failure} failure @param {number} code */
  async #failInit(failure, code = EXIT_FAILED) {
    if (this.phase !== "loading") return;
    const message = this.#failure(failure);
    this.phase = "ended";
    const modules = this.#modulesMessage();
    if (modules) await this.client.send(modules);
    await this.client.send(message);
    exit(code);
  }

  // --- ends that are no return ---------------------------------------------------------------

  #guard() {
    process.on("uncaughtExceptionMonitor", (error, origin) => {
      // Somebody else takes it, and the process goes on.
      if (process.listenerCount("uncaughtException") > 0) return;
      if (this.phase !== "loading" && this.phase !== "running") return;
      const rejected = origin === "unhandledRejection";
      const why = rejected ? "a promise was rejected, and nobody handled that" : "nobody caught it";
      this.#failNow(describe(error, this.place, [why]));
      exit(EXIT_FAILED);
    });
    process.on("exit", (code) => {
      if (this.phase === "answering") {
        this.client.sendNow(/** @type {Buffer} */ (this.#answer), this.#sending);
        return;
      }
      if (this.phase !== "loading" && this.phase !== "running") return;
      if (this.phase === "loading" && !code) process.exitCode = EXIT_FAILED;
      const called = new ProcessExit(`process.exit(${code})`);
      this.#failNow(describe(called, this.place));
    });
    let idle = false;
    process.on("beforeExit", () => {
      if (this.phase !== "loading" && this.phase !== "running") return;
      if (!idle) {
        idle = true;
        turn(() => undefined); // others may still begin something now
        return;
      }
      this.#neverSettled().catch((error) => {
        process.stderr.write(`runner: ${error?.message}\n`);
        exit(EXIT_FAILED);
      });
    });
  }

  async #neverSettled() {
    const left = "nothing is left that could settle it: no timer, no connection, no process";
    const init = this.phase === "loading";
    const what = init ? "a top-level await of its file never ends" : "the handler's promise never settled";
    const failure = describe(new NeverSettled(`${what}: ${left}`), this.place);
    await this.checkpoints.flush();
    if (init) await this.#failInit(failure);
    else await this.#finish(this.#failure(failure));
  }

  /** @param {import("./failure.mjs").Failure} failure */
  #failNow(failure) {
    this.checkpoints.flushNow();
    const message = this.#failure(failure);
    const modules = this.phase === "loading" ? this.#modulesMessage() : undefined;
    if (modules) this.client.sendNow(modules);
    this.phase = "ended";
    this.client.sendNow(message);
  }
}

/**
 * Go once through what an invocation needs, while nobody waits: V8 compiles what runs first.
 * @param {RuntimeClient} client
 */
function rehearse(client) {
  const headers = { "lambda-runtime-client-context": '{"custom": {"job": "", "attempt": "1"}}' };
  const payload = decode(Buffer.from('{"text": [1, {"a": null}]}'), note);
  const context = new Context(headers, process.env);
  const left = context.getRemainingTimeInMillis();
  client.message("/runtime/invocation/response", encode([payload, left, context.jobName]));
}

/** What the client context says of the run. @param {Record<string, string>} headers */
function customOf(headers) {
  return JSON.parse(headers["lambda-runtime-client-context"] || "{}").custom ?? {};
}

/** @param {Function} handler @param {unknown} payload @param {Context} context */
function call(handler, payload, context) {
  if (handler.length < 3) return handler(payload, context);
  return handler(payload, context, () => {
    throw new TypeError("handlers have no callback: return the result, or a promise of it");
  });
}

/** @param {NodeJS.WriteStream} stream */
function flushed(stream) {
  return new Promise((resolve) => stream.write("", resolve));
}

/** @param {string} text */
function note(text) {
  process.stderr.write(`${NOTE}${text}\n`);
}
