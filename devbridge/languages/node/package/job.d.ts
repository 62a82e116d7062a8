/// <reference lib="es2018.asyncgenerator" />
export * from "./lib/errors.js";

// --- what is known of the app -------------------------------------------------------------------

/** The app's jobs. devbridge-env.d.ts, which `devbridge types` makes, adds to it. */
export interface JobNames {}

/**
 * The payloads of jobs, as you declare them:
 *
 *     declare module "devbridge/job" {
 *       export interface JobTypes {
 *         factorial: { num: number };
 *       }
 *     }
 */
export interface JobTypes {}

/** The payloads of jobs, as their handlers declare them. devbridge-env.d.ts adds to it. */
export interface JobPayloads {}

/** What jobs return. devbridge-env.d.ts adds to it. */
export interface JobResults {}

/** The names of jobs; any, as long as `devbridge types` has not run. */
export type JobName = [keyof JobNames] extends [never] ? string : keyof JobNames;

/** What job `N` takes. */
export type JobPayload<N> = N extends keyof JobTypes
  ? JobTypes[N]
  : N extends keyof JobPayloads
    ? JobPayloads[N]
    : any;

/** What job `N` returns. */
export type JobResult<N> = N extends keyof JobResults ? JobResults[N] : any;

// --- starting and asking ------------------------------------------------------------------------

export type JobState =
  | "SCHEDULED"
  | "QUEUED"
  | "STARTING"
  | "RUNNING"
  | "SUCCEEDED"
  | "FAILED"
  | "CANCELLED"
  | "TIMED_OUT"
  | "CRASHED";

/** A run that was started. */
export interface JobRun {
  jobId: string;
  state: JobState;
  /** The idempotency key was used before: this is the run that it started then. */
  duplicate: boolean;
}

/** What a call to `cancel` met, and what came of it. */
export interface JobCancellation {
  jobId: string;
  /** The state before: in a final one there was nothing left to cancel. */
  was: JobState;
  /** The state now. A run that was RUNNING still is, until its process has ended. */
  state: JobState;
}

/** A run's state and, when it has failed, its error. */
export interface JobStatus {
  jobId: string;
  job: string;
  state: JobState;
  attempt: number;
  maxAttempts: number;
  errorType?: string | undefined;
  errorMessage?: string | undefined;
  /** Whether the run has ended. */
  final: boolean;
}

export interface RunOptions {
  /** Runs with the same key are the same run; of a deployed job, for 30 days. */
  idempotencyKey?: string | undefined;
  /**
   * When it is to start, 366 days ahead at most: it is SCHEDULED until then, and starts within the
   * minute that follows. What is over is now. The job must have `later=True` in app.py.
   */
  at?: Date | undefined;
  /** The same from now, in seconds. */
  delay?: number | undefined;
}

export interface WaitOptions {
  /** Seconds to wait at most; without, for ever. */
  timeout?: number | undefined;
  /** Seconds between two questions; 1 by default. */
  poll?: number | undefined;
  /** Ends the waiting, with its reason. */
  signal?: AbortSignal | undefined;
}

type RunArguments<P> = null extends P
  ? [options?: RunOptions & { payload?: P }]
  : undefined extends P
    ? [options?: RunOptions & { payload?: P }]
    : [options: RunOptions & { payload: P }];

/** A job that this function binds. */
export interface BoundJob<P = any, R = any> {
  /**
   * Start the job; resolves as soon as it is accepted, not when it has ended.
   *
   * @throws NotFound: the job is not bound here.
   * @throws TimeNotAllowed: `at` or `delay` is no such time.
   * @throws PayloadNotJson, PayloadTooLarge: the payload cannot be sent.
   * @throws PayloadInvalid: it is not what the job's handler declares; the path inside it is named.
   * @throws InvokeError: nobody accepted it; the message says who was expected where.
   */
  run(...options: RunArguments<P>): Promise<JobRun>;
  /**
   * Cancel a run, whatever state it is in; resolves when the cancellation is taken.
   *
   * @throws NotFound, UnknownRun, InvokeError
   */
  cancel(jobId: string): Promise<JobCancellation>;
  /**
   * A run's state, with its error when it has failed.
   *
   * @throws NotFound, UnknownRun, InvokeError
   */
  status(jobId: string): Promise<JobStatus>;
  /**
   * What the handler of a run returned.
   *
   * @throws JobNotFinished: the run has not ended.
   * @throws JobFailed: it has ended without a result; JobCancelled, JobTimedOut and JobCrashed are.
   * @throws NotFound, UnknownRun, InvokeError
   */
  result(jobId: string): Promise<R>;
  /**
   * Ask for a run's state again and again, until it has ended.
   *
   * @throws JobNotFinished: the run has not ended in time.
   * @throws NotFound, UnknownRun, InvokeError
   */
  wait(jobId: string, options?: WaitOptions): Promise<JobStatus>;
}

type Attribute<N> = N extends `${infer A}-${infer B}` ? `${A}_${Attribute<B>}` : N;
type Known = keyof JobNames | keyof JobTypes;

/** The bound jobs by name; 'my-job' is `Job["my-job"]` or `Job.my_job`. */
export declare const Job: [Known] extends [never]
  ? { readonly [name: string]: BoundJob }
  : { readonly [N in Known as N | Attribute<N>]: BoundJob<JobPayload<N>, JobResult<N>> };

// --- handling -----------------------------------------------------------------------------------

/**
 * What a handler is told about the run, and what it tells a handler.
 *
 * `Checkpoint` is what the handler yields: `context: JobContext<{ epoch: number }>`.
 */
export interface JobContext<Checkpoint = unknown> {
  /** The run's id. */
  readonly awsRequestId: string;
  readonly jobName: string;
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly functionName: string;
  readonly functionVersion: string;
  readonly invokedFunctionArn: string;
  readonly memoryLimitInMB: string;
  readonly logGroupName: string;
  readonly logStreamName: string;
  /**
   * What the run has yielded last, in an attempt that goes on where an earlier one has ended;
   * undefined: it begins at the beginning.
   */
  readonly checkpoint: Checkpoint | undefined;
  /** What has started the run by itself; undefined where a call has. */
  readonly trigger: { readonly kind: string; readonly name: string } | undefined;
  /** The record that has started it, as AWS has handed it over: the payload is what is in it. */
  readonly event: any;
  /**
   * Whether this process is to end soon: its machine is taken away and the run goes on elsewhere, or
   * the run is cancelled or out of time. A generator is closed when it yields next. Who reads neither
   * this nor `signal` is ended at once, after what it has yielded is stored.
   */
  readonly interrupted: boolean;
  /** Aborted when `interrupted` becomes true; some seconds are left then. */
  readonly signal: AbortSignal;
  /** Ms until the job's timeout. */
  getRemainingTimeInMillis(): number;
}

/** Any Standard Schema: of zod 4, valibot, arktype ... (https://standardschema.dev) */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => any;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

type Types<S extends StandardSchema> = NonNullable<S["~standard"]["types"]>;

/** A job's handler. */
export interface JobHandler<P, R> {
  (payload?: P, context?: JobContext): Promise<Awaited<R>>;
  /** For `devbridge types`; there is nothing at run time. */
  readonly "~devbridge"?: { readonly payload: P; readonly result: Awaited<R> };
}

/** What is to be true of `R`, which a handler returns that is told `JobContext<C>`. */
type Fits<R, C> = 0 extends 1 & R
  ? unknown
  : R extends AsyncGenerator<infer Y, any, any> | Generator<infer Y, any, any>
    ? [Y] extends [C | null | undefined | void]
      ? unknown
      : { "what is yielded is not what the context's checkpoint is": C }
    : unknown;

/** The handler of a job that yields checkpoints. */
export interface JobGenerator<P, C, R> {
  (payload?: P, context?: JobContext<C>): AsyncGenerator<C | null | undefined, Awaited<R>, void>;
  /** For `devbridge types`; there is nothing at run time. */
  readonly "~devbridge"?: { readonly payload: P; readonly result: Awaited<R> };
}

type Made<P, C, R> = 0 extends 1 & R
  ? JobHandler<P, R>
  : [R] extends [AsyncGenerator<any, infer V, any> | Generator<any, infer V, any>]
    ? [R] extends [never]
      ? JobHandler<P, R>
      : JobGenerator<P, C, V>
    : JobHandler<P, R>;

/**
 * Make a function the handler of job `name`.
 *
 * The payload's type is that of `JobTypes[name]`, or the one that the function declares. Before it
 * is called, the payload is checked and the secrets that the job binds are fetched.
 *
 * A generator function yields checkpoints: another attempt finds the last of them in
 * `context.checkpoint`. Their type is that of the context that the function declares:
 * `context: JobContext<{ epoch: number }>`. What it returns is the result.
 */
export declare function jobHandler<N extends JobName, R, P = unknown, C = unknown>(
  name: N,
  handler: (
    payload: N extends keyof JobTypes ? JobTypes[N] : P,
    context: JobContext<C>,
  ) => R & Fits<R, C>,
): Made<N extends keyof JobTypes ? JobTypes[N] : P, C, R>;

/** Make a function the handler of job `name`; it gets what the schema makes of the payload. */
export declare function jobHandler<N extends JobName, S extends StandardSchema<any, any>, R, C = unknown>(
  name: N,
  options: { readonly payload: S },
  handler: (payload: Types<S>["output"], context: JobContext<C>) => R & Fits<R, C>,
): Made<Types<S>["input"], C, R>;
