/**
 * What a handler that is a generator yields: each value is where another attempt can begin. See
 * `runner/checkpoints.py`, whose rules these are.
 *
 * The first is stored at once, then one every few seconds at most; what is not stored yet is when
 * the process is told to stop, or the handler throws.
 */

import { types } from "node:util";
import { CheckpointNotJson, CheckpointTooLarge } from "./failure.mjs";
import { encode } from "./results.mjs";
import { RuntimeApiGone } from "./runtime_api.mjs";

/** Bytes of a checkpoint's JSON. */
export const MOST = 256 * 1024;
/** Seconds from one that is stored to the next. */
const SECONDS = 2;
/** Milliseconds after which the event loop turns between two yields, so that signals are heard. */
const BREATH = 20;
const PATH = "/devbridge/checkpoint";
const EMPTY = "null";
const { parse } = JSON; // the user's code may replace it, and all of these
const now = Date.now;
const turn = setImmediate;
const clock = performance.now.bind(performance);

/**
 * The checkpoint that this attempt begins at.
 * @param {import("./runtime_api.mjs").RuntimeClient} client
 * @param {Record<string, string>} custom what the client context says.
 */
export async function beginning(client, custom) {
  if (custom.checkpoint !== "1") return undefined;
  const { status, body } = await client.get(PATH);
  if (status === 204) return undefined;
  if (status !== 200) throw new RuntimeApiGone(`the runtime api answered ${status} to \`checkpoint\``);
  return parse(body.toString("utf8"));
}

/**
 * Whether a handler's result is what a generator function makes, a compiled one's, too.
 * @param {any} result
 * @returns {result is Generator | AsyncGenerator}
 */
export function isGenerator(result) {
  if (typeof result !== "object" || result === null) return false;
  if (types.isGeneratorObject(result)) return true;
  const methods = ["next", "return", "throw", Symbol.asyncIterator];
  return methods.every((name) => typeof result[name] === "function");
}

/** Runs one handler's generator. */
export class Checkpoints {
  /** What is not stored yet. @type {Buffer | undefined} */ #pending;
  /** What is being stored. @type {Buffer | undefined} */ #storing;
  #stored = -Infinity;
  #breath = clock();
  #complained = false;

  /**
   * @param {import("./runtime_api.mjs").RuntimeClient} client
   * @param {import("./termination.mjs").Termination} termination
   * @param {string | undefined} seconds from one that is stored to the next.
   * @param {(text: string) => void} note
   */
  constructor(client, termination, seconds, note) {
    this.client = client;
    this.termination = termination;
    this.every = Number(seconds || SECONDS) * 1000;
    this.note = note;
  }

  /**
   * Run a generator to its end, or to the checkpoint that is to be its last.
   * @param {Generator | AsyncGenerator} generator
   * @param {unknown} stopAt seconds since the epoch after which the next is.
   * @returns {Promise<{interrupted: boolean, result?: unknown}>}
   * @throws whatever it throws. What is not stored yet is not, then: see `flush`.
   */
  async run(generator, stopAt) {
    const until = stopAt ? Number(stopAt) * 1000 : Infinity;
    let step = await generator.next();
    while (!step.done) {
      let taken = false;
      let refused;
      try {
        taken = this.#take(step.value);
      } catch (error) {
        refused = { error };
      }
      if (refused) {
        step = await generator.throw(refused.error);
        continue;
      }
      if (clock() > this.#breath + BREATH) await this.#breathe();
      const { come, watched } = this.termination;
      const last = (come && watched) || (taken && now() >= until);
      if (last || come || clock() - this.#stored >= this.every) await this.flush();
      if (last) {
        await generator.return(undefined);
        return { interrupted: true };
      }
      step = await generator.next();
    }
    return { interrupted: false, result: await step.value };
  }

  /** Nothing is to be stored any more: there is a result. */
  forget() {
    this.#keep(undefined);
  }

  /** Store what is not stored yet. */
  async flush() {
    if (!this.#pending) return;
    this.#storing = this.client.message(PATH, this.#pending);
    this.#pending = undefined;
    this.#answered(await this.client.send(this.#storing));
    this.#storing = undefined;
    await this.#breathe(); // else a signal that has come meanwhile is heard by nobody
    this.#keep(undefined);
  }

  /** The same in a process that is ending, or that might not come to it any more. */
  flushNow(goesOn = false) {
    if (this.#storing && !goesOn) this.client.sendNow(this.#storing, true);
    if (!this.#pending) return;
    if (this.client.sendNow(this.client.message(PATH, this.#pending))) this.#keep(undefined);
  }

  /** Take what was yielded; whether that is a checkpoint. @param {unknown} value */
  #take(value) {
    if (value === undefined || value === null) return false;
    const text = encode(value, "checkpoint", CheckpointNotJson);
    if (text.length > MOST) {
      const has = `the checkpoint has ${text.length} bytes as JSON, and ${MOST} is the most`;
      throw new CheckpointTooLarge(`${has}: keep what is large in a bucket or a file, and yield where it is`);
    }
    if (text.length === EMPTY.length && text.toString() === EMPTY) return false;
    this.#keep(text);
    return true;
  }

  /** @param {Buffer | undefined} text not stored yet; none: all is. */
  #keep(text) {
    const before = this.#pending;
    this.#pending = text;
    if (text && !before) this.termination.saving((goesOn) => this.flushNow(goesOn));
    if (text) return;
    this.#stored = clock();
    this.termination.saving(undefined);
  }

  /** @param {number} status */
  #answered(status) {
    if (status < 400 || this.#complained) return;
    this.#complained = true;
    this.note(`a checkpoint could not be stored: the runtime api answered ${status}`);
  }

  async #breathe() {
    // After the first, the loop has yet to ask what has come.
    for (let count = 0; count < 2; count += 1) await new Promise((resolve) => turn(resolve));
    this.#breath = clock();
  }
}
