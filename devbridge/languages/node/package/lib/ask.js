/** What is asked of a job's invoker, and what its answers mean. */
import { invoke } from "./aws.js";
import {
  InvokeError,
  JobCancelled,
  JobCrashed,
  JobFailed,
  JobNotFinished,
  JobTimedOut,
  UnknownRun,
} from "./errors.js";
import { checkedSize, needsText } from "./payload.js";

/** The final states, and what `result` throws in each. */
const ENDED = {
  SUCCEEDED: undefined,
  FAILED: JobFailed,
  CANCELLED: JobCancelled,
  TIMED_OUT: JobTimedOut,
  CRASHED: JobCrashed,
};

/**
 * Send one question to the invoker Lambda and return its answer.
 * @param {string} functionName
 * @param {string} job
 * @param {string} action
 * @param {string} payload a JSON text
 * @param {Record<string, string | boolean>} fields
 * @returns {Promise<any>}
 */
export async function ask(functionName, job, action, payload, fields) {
  // Lambda would make floats of its numbers.
  const text = needsText(payload);
  const head = JSON.stringify({ devbridge: text ? 2 : 1, action, ...fields });
  const named = text ? `"payloadText":${JSON.stringify(payload)}` : `"payload":${payload}`;
  const { failed, payload: found } = await invoke(
    functionName,
    checkedSize(`${head.slice(0, -1)},${named}}`),
  );
  const where = `job '${job}', invoker ${functionName}`;
  const answer = parsed(found, where);
  if (failed) {
    const message = `${answer?.errorType}: ${answer?.errorMessage}`;
    throw new InvokeError(`the invoker failed: ${message}`, { where });
  }
  if (typeof answer !== "object" || answer === null || "error" in answer || !("jobId" in answer)) {
    const error = answer?.error ?? {};
    if (error.code === "UnknownRun") throw new UnknownRun(String(error.message), { where });
    const message = error.message ?? JSON.stringify(answer);
    throw new InvokeError(`${error.code ?? "BadAnswer"}: ${message}`, { where });
  }
  return answer;
}

/**
 * @param {string} text
 * @param {string} where
 */
function parsed(text, where) {
  try {
    return JSON.parse(text || "null");
  } catch {
    throw new InvokeError("BadAnswer: the invoker's answer is no JSON", { where });
  }
}

/**
 * The status in the invoker's answer.
 * @param {any} answer
 */
export function status(answer) {
  const { jobId, job, state, attempt, maxAttempts, failure } = answer;
  return {
    jobId,
    job,
    state,
    attempt,
    maxAttempts,
    errorType: failure?.type,
    errorMessage: failure?.message,
    final: Object.hasOwn(ENDED, state),
  };
}

/**
 * @param {ReturnType<typeof status>} found
 * @throws {JobNotFinished} the run has not ended
 * @throws {JobFailed} it has ended without a result
 */
export function throwUnlessSucceeded(found) {
  const { jobId, job, state, errorType, errorMessage } = found;
  const where = `job '${job}', run ${jobId}`;
  if (!found.final) {
    throw new JobNotFinished(`the run is ${state}: it has no result yet`, { where });
  }
  const Kind = ENDED[/** @type {keyof typeof ENDED} */ (state)];
  if (!Kind) return;
  const why = errorType ? `: ${errorType}: ${errorMessage}` : "";
  throw new Kind(`the run has ended ${state}${why}`, { where, errorType, errorMessage });
}
