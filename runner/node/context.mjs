/** The context object that a handler may take as its second argument: Lambda's, and a job's. */

import { Termination } from "./termination.mjs";

const now = Date.now; // tests of users replace it

/** Lambda's context, where the time that remains is that of the *job's* timeout. */
export class Context {
  callbackWaitsForEmptyEventLoop = true;
  identity = undefined;
  /** @type {number} */ #deadline;
  /** @type {() => number} */ #halted;
  /** @type {AbortController | undefined} */ #controller;
  /** @type {Termination} */ #termination;

  /**
   * @param {Record<string, string>} headers the Runtime API's, in lower case.
   * @param {NodeJS.ProcessEnv} environment
   * @param {() => number} [halted] tells for how many milliseconds the job's time did not pass.
   * @param {Termination} [termination]
   * @param {unknown} [checkpoint] what the run's last attempt has yielded last.
   * @param {{ trigger: { kind: string, name: string }, event: unknown }} [found] what has started it.
   */
  constructor(headers, environment, halted = () => 0, termination = new Termination(), checkpoint = undefined, found = undefined) {
    this.awsRequestId = headers["lambda-runtime-aws-request-id"];
    this.invokedFunctionArn = headers["lambda-runtime-invoked-function-arn"] ?? "";
    this.clientContext = JSON.parse(headers["lambda-runtime-client-context"] || "{}");
    const custom = this.clientContext.custom ?? {};
    this.jobName = String(custom.job ?? "");
    this.attempt = Number(custom.attempt ?? 1);
    this.maxAttempts = Number(custom.max_attempts ?? 1);
    this.functionName = environment.AWS_LAMBDA_FUNCTION_NAME || this.jobName;
    this.functionVersion = environment.AWS_LAMBDA_FUNCTION_VERSION ?? "$LATEST";
    this.memoryLimitInMB = environment.AWS_LAMBDA_FUNCTION_MEMORY_SIZE ?? "";
    this.logGroupName = environment.AWS_LAMBDA_LOG_GROUP_NAME ?? `/devbridge/${this.functionName}`;
    this.logStreamName = environment.AWS_LAMBDA_LOG_STREAM_NAME ?? this.awsRequestId;
    this.#deadline = Number(headers["lambda-runtime-deadline-ms"] ?? 0);
    this.#halted = halted;
    this.#termination = termination;
    this.checkpoint = checkpoint;
    /** What has started the run; undefined: somebody's call. */
    this.trigger = found?.trigger;
    /** The record that has started it, as AWS has handed it over. */
    this.event = found?.event;
  }

  /** Milliseconds until the job is stopped; 0 when its time is up. */
  getRemainingTimeInMillis = () => Math.max(0, this.#deadline + this.#halted() - now());

  /**
   * Whether the process is to end soon: the run goes on elsewhere, is cancelled, or its time is up.
   * Until this or `signal` is read first, SIGTERM ends the process, whatever it does.
   */
  get interrupted() {
    const termination = this.#termination;
    if (!termination.watched) termination.watch();
    if (termination.come) termination.seen = true;
    return termination.come || now() >= termination.until;
  }

  /**
   * Aborted when SIGTERM comes, as `interrupted` is true then; the process is killed when the grace period has passed.
   * @type {AbortSignal}
   */
  get signal() {
    if (!this.#controller) {
      const controller = (this.#controller = new AbortController());
      const abort = () => {
        const over = this.#deadline > 0 && this.getRemainingTimeInMillis() === 0;
        const why = over ? ["the run's time is up", "TimeoutError"] : ["the run was told to stop", "AbortError"];
        controller.abort(new DOMException(...why));
      };
      this.#termination.watch(abort);
      if (this.#termination.come) abort();
    }
    return this.#controller.signal;
  }
}
