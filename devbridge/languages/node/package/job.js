/**
 * Start jobs, ask about and cancel them, and handle them.
 *
 *     import { Job, jobHandler } from "devbridge/job";
 *     const { jobId } = await Job.factorial.run({ payload: { num: 100 } });
 */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import { ask, status, throwUnlessSucceeded } from "./lib/ask.js";
import { bound, byName, values } from "./lib/bound.js";
import { JobNotFinished } from "./lib/errors.js";
import { moment } from "./lib/later.js";
import { dump } from "./lib/payload.js";
import { check } from "./lib/schema.js";

/** A job that this function binds. */
class BoundJob {
  #name;

  /** @param {string} name */
  constructor(name) {
    this.#name = name;
  }

  /**
   * @param {{ payload?: unknown, idempotencyKey?: string, at?: Date, delay?: number }} [options]
   */
  async run({ payload, idempotencyKey, at, delay } = {}) {
    const text = dump(payload);
    check(this.#name, JSON.parse(text));
    const startAt = moment(at, delay);
    /** @type {Record<string, string | boolean>} */
    const key =
      idempotencyKey === undefined
        ? // Without a key, a retry of the call would start the job twice.
          { idempotencyKey: randomUUID(), generatedKey: true }
        : { idempotencyKey };
    const answer = await (startAt === undefined
      ? this.#ask("run", key, text)
      : this.#ask("schedule", { ...key, startAt }, text));
    return { jobId: answer.jobId, state: answer.state, duplicate: Boolean(answer.duplicate) };
  }

  /** @param {string} jobId */
  async cancel(jobId) {
    const { jobId: of, was, state } = await this.#ask("cancel", { jobId });
    return { jobId: of, was, state };
  }

  /** @param {string} jobId */
  async status(jobId) {
    return status(await this.#ask("status", { jobId }));
  }

  /** @param {string} jobId */
  async result(jobId) {
    const answer = await this.#ask("result", { jobId });
    throwUnlessSucceeded(status(answer));
    return answer.result ?? null;
  }

  /**
   * @param {string} jobId
   * @param {{ timeout?: number, poll?: number, signal?: AbortSignal }} [options]
   */
  async wait(jobId, { timeout, poll = 1, signal } = {}) {
    const until = timeout === undefined ? Infinity : performance.now() + timeout * 1000;
    for (;;) {
      signal?.throwIfAborted();
      const found = await this.status(jobId);
      if (found.final) return found;
      if (performance.now() + poll * 1000 > until) {
        throw new JobNotFinished(`the run is ${found.state} after ${timeout} s`, {
          where: `job '${found.job}', run ${jobId}`,
        });
      }
      await sleep(poll * 1000, undefined, { signal }).catch(() => {});
    }
  }

  /**
   * @param {string} action
   * @param {Record<string, string | boolean>} fields
   * @param {string} [payload]
   */
  #ask(action, fields, payload = "null") {
    return ask(bound("Job", "functionName", this.#name), this.#name, action, payload, fields);
  }
}

/** The bound jobs by name: Job.factorial, Job["my-job"] or Job.my_job. */
export const Job = byName(
  (name) => new BoundJob(name),
  () => Object.keys(values("Job", "functionName")).sort(),
);

export * from "./lib/errors.js";
export { jobHandler } from "./lib/handler.js";
