interface More {
  where?: string | undefined;
  remedy?: string | undefined;
  cause?: unknown;
}

/** An error that can be acted on: what happened, where, and what to do about it. */
export declare class DevbridgeError extends Error {
  constructor(what: string, more?: More);
  /** What happened; `message` has the other two as well. */
  readonly what: string;
  /** A job, a run, a path inside the payload, an environment variable. */
  readonly where: string | undefined;
  /** What to do now. */
  readonly remedy: string | undefined;
}

/** A run was asked for a time that it cannot have. */
export declare class TimeNotAllowed extends DevbridgeError {}
/** The payload cannot be sent. */
export declare class PayloadError extends DevbridgeError {}
/** The payload is not what the handler declares; `where` is the path inside it. */
export declare class PayloadInvalid extends PayloadError {}
/** The payload has no JSON form; `where` is the path inside it. */
export declare class PayloadNotJson extends PayloadError {}
/** The payload is over Lambda's 6 MB: put it in S3 and send the key. */
export declare class PayloadTooLarge extends PayloadError {}
/** What was asked for does not exist, or is not bound here. */
export declare class NotFound extends DevbridgeError {}
/** The handler was called for another job. */
export declare class UnknownJob extends NotFound {}
/** No run with that id is known. */
export declare class UnknownRun extends NotFound {}
/** The cloud did not answer as it must. */
export declare class CloudError extends DevbridgeError {}
/** There are no AWS credentials, or they could not be fetched. */
export declare class CredentialsError extends DevbridgeError {}
/** The invoker was reached and could not do what was asked. */
export declare class InvokeError extends DevbridgeError {}
/** The run that was asked about has not ended: ask again later. */
export declare class JobNotFinished extends DevbridgeError {}

/** The run has no result, because its handler failed. */
export declare class JobFailed extends DevbridgeError {
  constructor(
    what: string,
    more?: More & { errorType?: string | undefined; errorMessage?: string | undefined },
  );
  /** The type of what the handler threw, where it threw something. */
  readonly errorType: string | undefined;
  readonly errorMessage: string | undefined;
}
/** The run has no result, because it was cancelled. */
export declare class JobCancelled extends JobFailed {}
/** The run has no result, because it took longer than the job's timeout. */
export declare class JobTimedOut extends JobFailed {}
/** The run has no result, because its process ended without an answer. */
export declare class JobCrashed extends JobFailed {}
