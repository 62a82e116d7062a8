/**
 * A live function: its handler is imported once, then called for one request after the other. The
 * meaning is that of `runner/function.py`, and of AWS's own runtime for Node: see
 * `function_calls.mjs`, and `function_errors.mjs` for what callers and the developer are told.
 *
 * Between requests the event loop turns, where Lambda would freeze the process.
 */

import { readFileSync } from "node:fs";
import { Fault } from "./failure.mjs";
import { Place } from "./frames.mjs";
import { answer, answerOrCallBack, check, contextOf, hasCallbacks, neverSettled, NOTHING_LEFT, offerGlobals } from "./function_calls.mjs";
import { notLoaded, raised, seen } from "./function_errors.mjs";
import { loadConnected } from "./loading.mjs";
import { watchLookups } from "./lookups.mjs";
import { RuntimeApiGone } from "./runtime_api.mjs";

const EXIT_FAILED = 1;
/** How Node 22's runtime ends. */
const EXIT_REJECTED = 128;
const EXIT_UNCAUGHT = 129;
const UNCAUGHT = "nobody caught it, so the process ends";
const REJECTED = "a promise was rejected, and nobody handled that, so the process ends";
const SILENT_END = "Runtime exited without providing a reason";
const TRACE = "_X_AMZN_TRACE_ID";
const exit = process.exit.bind(process);
const turn = setImmediate;
const { parse } = JSON;

export class LiveFunction {
  /** @type {"loading" | "waiting" | "running" | "ended"} */ phase = "loading";
  #requestId = "";
  /** @type {(() => void) | undefined} */ #whenEmpty;
  /** Debuggers can find it. */ #isOpen = false;
  /** What is told of the bundle's modules, until it is. @type {string | undefined} */ #modules;

  /**
   * @param {import("./runtime_api.mjs").RuntimeClient} client
   * @param {string} handler
   * @param {string} root
   * @param {string | undefined} bundle
   * @param {string | undefined} modules the file with what is told of the bundle's modules.
   * @param {string | undefined} halts the file that tells for how long debuggers have halted it.
   */
  constructor(client, handler, root, bundle, modules, halts) {
    this.client = client;
    this.handler = handler;
    this.root = root;
    this.bundle = bundle;
    this.halts = halts;
    this.#modules = modules;
    this.place = new Place(root, handler, bundle);
    this.callbacks = hasCallbacks(process.env);
  }

  /**
   * Handle requests until this process is ended.
   * @throws {RuntimeApiGone} the daemon has ended.
   */
  async run() {
    this.#guard();
    offerGlobals();
    let handler;
    try {
      handler = await loadConnected(this.client, this.handler, this.root, this.bundle, (file) => {
        this.place = new Place(this.root, this.handler, file);
        watchLookups(this.client.address, this.place);
      });
      check(handler, this.callbacks);
    } catch (error) {
      if (error instanceof RuntimeApiGone) throw error;
      return this.#failInit(asLambdaHasIt(error, this.handler));
    }
    while (this.phase !== "ended") {
      this.phase = "waiting";
      const { headers, body } = await this.client.next(this.#modulesMessage());
      this.#requestId = headers["lambda-runtime-aws-request-id"];
      this.phase = "running";
      const message = await this.#handled(handler, headers, body);
      this.phase = "waiting";
      this.#whenEmpty = undefined;
      await this.client.send(message);
      await new Promise((resolve) => turn(resolve)); // what ends the process now has no request
    }
  }

  /** What is sent of a request. @param {Function} handler @param {Record<string, string>} headers @param {Buffer} body */
  async #handled(handler, headers, body) {
    try {
      const halted = await this.#debugged();
      setTrace(headers["lambda-runtime-trace-id"]);
      const context = contextOf(headers, process.env, halted);
      const event = parse(body.toString("utf8"));
      const whenEmpty = (/** @type {(() => void) | undefined} */ what) => (this.#whenEmpty = what);
      if (!this.callbacks) this.#whenEmpty = this.#neverSettles();
      const result = this.callbacks ? answerOrCallBack(handler, event, context, whenEmpty) : answer(handler, event, context);
      return this.client.message(this.#path("response"), await result);
    } catch (error) {
      if (error instanceof RuntimeApiGone) throw error;
      return this.#failure(error);
    }
  }

  /** Be open to debuggers, if any may come; what tells for how long they have halted the request. */
  async #debugged() {
    const note = this.halts;
    if (note === undefined) return () => 0;
    const { halted, open } = await import("./debugging.mjs");
    const before = halted(note);
    if (!this.#isOpen) await open(this.client);
    this.#isOpen = true;
    return () => halted(note) - before;
  }

  /** @param {string} end */
  #path(end) {
    return `/runtime/invocation/${this.#requestId}/${end}`;
  }

  /** @param {unknown} error @param {string[]} [notes] */
  #failure(error, notes = []) {
    const document = this.phase === "loading" ? notLoaded : raised;
    const path = this.phase === "loading" ? "/runtime/init/error" : this.#path("error");
    return this.client.failure(path, document(error, this.place, this.callbacks, notes));
  }

  #modulesMessage() {
    const file = this.#modules;
    this.#modules = undefined;
    return file === undefined ? undefined : this.client.message("/devbridge/modules", readFileSync(file));
  }

  /** @param {unknown} error */
  async #failInit(error) {
    if (this.phase !== "loading") return;
    const message = this.#failure(error);
    const modules = this.#modulesMessage();
    this.phase = "ended";
    if (modules) await this.client.send(modules);
    await this.client.send(message);
    exit(EXIT_FAILED);
  }

  // --- ends ----------------------------------------------------------------------------------

  #guard() {
    process.on("exit", () => {
      const modules = this.phase === "loading" ? this.#modulesMessage() : undefined;
      if (modules) this.client.sendNow(modules);
    });
    process.on("beforeExit", () => this.#empty());
    if (this.callbacks) {
      process.on("uncaughtException", (error) => this.#die(error, EXIT_UNCAUGHT, [UNCAUGHT]));
      process.on("unhandledRejection", (cause) => {
        const rejected = new Fault("Runtime.UnhandledPromiseRejection", text(cause), { cause });
        this.#die(rejected, EXIT_REJECTED, [REJECTED]);
      });
      return;
    }
    process.on("uncaughtExceptionMonitor", (cause, origin) => {
      // Somebody else takes it, and the process goes on; or Node itself says it.
      if (process.listenerCount("uncaughtException") > 0 || this.phase === "waiting") return;
      const ends = this.#exits(`Runtime exited with error: exit status ${EXIT_FAILED}`, { cause });
      const notes = [origin === "unhandledRejection" ? REJECTED : UNCAUGHT];
      this.#die(this.phase === "loading" ? cause : ends, EXIT_FAILED, notes);
    });
  }

  /** The event loop is empty. */
  #empty() {
    if (this.phase === "loading") {
      const message = `a top-level await of its file never ends: ${NOTHING_LEFT}`;
      this.#die(new Fault("Runtime.ExitError", SILENT_END, { message }), EXIT_FAILED);
    }
    this.#whenEmpty?.();
  }

  /** What is done when a handler of Node 24's waits, and nothing is left to wait for. */
  #neverSettles() {
    return () => {
      this.#whenEmpty = () => {
        const { message } = neverSettled("", "");
        this.#die(this.#exits(SILENT_END, { message }), 0);
      };
      turn(() => undefined); // others may still begin something now
    };
  }

  /** As Lambda says that the process has ended. @param {string} what @param {object} seen */
  #exits(what, seen) {
    return new Fault("Runtime.ExitError", `RequestId: ${this.#requestId} Error: ${what}`, seen);
  }

  /**
   * Say why this process cannot go on, and end it.
   * @param {unknown} error
   * @param {number} code
   * @param {string[]} [notes] for the developer.
   */
  #die(error, code, notes) {
    if (this.phase === "waiting") {
      const { errorType, errorMessage, trace } = seen(error, this.place);
      process.stderr.write(`${trace.join("\n") || `${errorType}: ${errorMessage}`}\n`);
    } else if (this.phase !== "ended") {
      const message = this.#failure(error, notes);
      const modules = this.phase === "loading" ? this.#modulesMessage() : undefined;
      if (modules) this.client.sendNow(modules);
      this.client.sendNow(message);
    }
    this.phase = "ended";
    exit(code);
  }
}

/**
 * What Lambda calls the error of a handler that cannot be loaded.
 * @param {any} error
 * @param {string} handler
 */
function asLambdaHasIt(error, handler) {
  if (error instanceof SyntaxError) {
    return new Fault("Runtime.UserCodeSyntaxError", text(error), { cause: error, stack: error.stack });
  }
  if (error?.code === "MODULE_NOT_FOUND") return new Fault("Runtime.ImportModuleError", text(error), { cause: error });
  if (error?.name === "HandlerNotFound") {
    const what = error.found ? "is not a function" : "is undefined or not exported";
    return new Fault("Runtime.HandlerNotFound", `${handler} ${what}`, { cause: error });
  }
  return error;
}

/** @param {unknown} thing */
function text(thing) {
  try {
    return String(thing);
  } catch {
    return typeof thing;
  }
}

/** @param {string | undefined} header */
function setTrace(header) {
  if (header) process.env[TRACE] = header;
  else delete process.env[TRACE];
}
