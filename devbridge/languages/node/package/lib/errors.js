/** Errors that can be acted on, with the names and words of devbridge's errors in Python. */

/** An error: what happened, where, and what to do about it. */
export class DevbridgeError extends Error {
  /**
   * @param {string} what
   * @param {{ where?: string, remedy?: string, cause?: unknown }} [more]
   */
  constructor(what, { where, remedy, cause } = {}) {
    const lines = [what];
    if (where) lines.push(`  where: ${where}`);
    if (remedy) lines.push(`  to do: ${remedy}`);
    super(lines.join("\n"), cause === undefined ? undefined : { cause });
    this.what = what;
    this.where = where;
    this.remedy = remedy;
  }
}

/** A run was asked for a time that it cannot have. */
export class TimeNotAllowed extends DevbridgeError {}
/** The payload cannot be sent. */
export class PayloadError extends DevbridgeError {}
/** The payload is not what the handler declares. */
export class PayloadInvalid extends PayloadError {}
/** The payload has no JSON form. */
export class PayloadNotJson extends PayloadError {}
/** The payload is over Lambda's 6 MB. */
export class PayloadTooLarge extends PayloadError {}
/** What was asked for does not exist. */
export class NotFound extends DevbridgeError {}
/** There is no job of that name here. */
export class UnknownJob extends NotFound {}
/** No run with that id is known. */
export class UnknownRun extends NotFound {}
/** The cloud did not answer as it must. */
export class CloudError extends DevbridgeError {}
/** There are no AWS credentials, or they could not be fetched. */
export class CredentialsError extends DevbridgeError {}
/** The invoker was reached and could not do what was asked. */
export class InvokeError extends DevbridgeError {}
/** The run that was asked about has not ended. */
export class JobNotFinished extends DevbridgeError {}

/** The run has no result, because its handler failed. */
export class JobFailed extends DevbridgeError {
  /**
   * @param {string} what
   * @param {{ where?: string, remedy?: string, errorType?: string, errorMessage?: string }} [more]
   */
  constructor(what, { errorType, errorMessage, ...more } = {}) {
    super(what, more);
    this.errorType = errorType;
    this.errorMessage = errorMessage;
  }
}
/** The run has no result, because it was cancelled. */
export class JobCancelled extends JobFailed {}
/** The run has no result, because it took longer than the job's timeout. */
export class JobTimedOut extends JobFailed {}
/** The run has no result, because its process ended without an answer. */
export class JobCrashed extends JobFailed {}

// A bundler that minifies gives classes other names; logs and other languages know these.
for (const [name, each] of Object.entries({
  DevbridgeError,
  TimeNotAllowed,
  PayloadError,
  PayloadInvalid,
  PayloadNotJson,
  PayloadTooLarge,
  NotFound,
  UnknownJob,
  UnknownRun,
  CloudError,
  CredentialsError,
  InvokeError,
  JobNotFinished,
  JobFailed,
  JobCancelled,
  JobTimedOut,
  JobCrashed,
})) {
  Object.defineProperty(each.prototype, "name", { value: name, configurable: true, writable: true });
}
