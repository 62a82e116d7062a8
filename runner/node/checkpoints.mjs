/**
 * What a handler that is a generator yields, from where its next attempt goes on. See
 * `runner/checkpoints.py`, whose rules these are.
 *
 * The first one is stored at once, each further one DEVBRIDGE_CHECKPOINT_SECONDS after the last was
 * stored: until then it is pending, and what is yielded after it takes its place. What is pending is
 * stored when its time has come, and when the handler ends without a result.
 */

import { types } from "node:util";
import { CheckpointNotJson, CheckpointTooLarge } from "./failure.mjs";
import { encode } from "./results.mjs";
import { RuntimeApiGone, RuntimeClient } from "./runtime_api.mjs";

/** Bytes of a checkpoint's JSON. */
export const MOST = 256 * 1024;
/** From one that is stored to the next, if nothing else is set. */
const SECONDS = 2;
/** Milliseconds after which the event loop turns between two yields, so that signals are heard. */
const BREATH = 20;
const PATH = "/devbridge/checkpoint";
/** The answer of an API that has sent SIGTERM. */
const STOPPING = 205;
const { parse } = JSON; // the user's code may replace it, and all of these
const now = Date.now;
const turn = setImmediate;
const later = setTimeout;
const sooner = clearTimeout;
const clock = performance.now.bind(performance);

/**
 * The checkpoint that this attempt begins at; null is none.
 * @param {RuntimeClient} client
 * @param {Record<string, string>} custom what the client context says.
 */
export async function beginning(client, custom) {
  if (!custom.checkpoint) return undefined;
  const { status, body } = await client.get(PATH);
  if (status === 204) return undefined;
  if (status !== 200) throw new RuntimeApiGone(`the runtime api answered ${status} to \`checkpoint\``);
  return parse(body.toString("utf8")) ?? undefined;
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

/** Those of one handler. */
export class Checkpoints {
  /** Of its own connection: an answer may be sent meanwhile. @type {RuntimeClient} */ #client;
  /** @type {Buffer | undefined} */ #pending;
  /** Under way, until that is through. @type {Promise<void> | undefined} */ #storing;
  /** What has no answer yet. @type {Buffer | undefined} */ #sent;
  /** @type {NodeJS.Timeout | undefined} */ #timer;
  #due = -Infinity;
  #breath = clock();
  #complained = false;

  /**
   * @param {string} address the Runtime API's.
   * @param {import("./termination.mjs").Termination} termination
   * @param {string | undefined} seconds from one that is stored to the next.
   * @param {(text: string) => void} note
   */
  constructor(address, termination, seconds, note) {
    this.#client = new RuntimeClient(address);
    this.termination = termination;
    const said = Number(seconds || SECONDS);
    this.every = (Number.isNaN(said) ? SECONDS : Math.max(0, said)) * 1000;
    this.note = note;
  }

  /**
   * Run a generator to its end, or to the checkpoint that is to be its last.
   * @param {Generator | AsyncGenerator} generator
   * @returns {Promise<{interrupted: boolean, result?: unknown}>}
   * @throws {CheckpointNotJson | CheckpointTooLarge} it has yielded such a one.
   * @throws whatever it throws. What is pending still is, then: see `flush`.
   */
  async run(generator) {
    for (;;) {
      const step = await generator.next();
      if (step.done) return { interrupted: false, result: await step.value };
      try {
        this.#keep(text(step.value));
      } catch (error) {
        await generator.throw(error);
        await generator.return(undefined);
        throw error; // nobody can go on after it
      }
      if (clock() > this.#breath + BREATH) await this.#breathe();
      const { come, watched, until } = this.termination;
      const last = (come && watched) || now() >= until;
      if (last || come || (clock() >= this.#due && !this.#storing)) await this.flush();
      else this.#timer ??= later(() => this.#store(), this.#due - clock()).unref();
      if (last) {
        await generator.return(undefined);
        return { interrupted: true };
      }
    }
  }

  /** Store what is pending. */
  async flush() {
    while (this.#pending || this.#storing) {
      this.#store();
      await this.#storing;
    }
  }

  /** The same in a process that is ending, or that may not come to it any more. */
  flushNow(goesOn = false) {
    if (this.#sent && goesOn) return; // it is on its way, and the next one follows
    if (this.#sent) this.#client.sendNow(this.#sent, true);
    if (!this.#pending || !this.#client.sendNow(this.#client.message(PATH, this.#pending))) return;
    this.#pending = undefined;
    if (!this.#storing) this.#stored();
  }

  /** Nothing is to be stored any more: there is a result, or its end has been told. */
  async close() {
    this.#pending = undefined;
    await this.#storing;
    this.#stored();
    this.#client.close();
  }

  /** @param {Buffer} body */
  #keep(body) {
    if (!this.#pending) this.termination.saving((goesOn) => this.flushNow(goesOn));
    this.#pending = body;
  }

  #store() {
    if (this.#storing || !this.#pending) return;
    this.#sent = this.#client.message(PATH, this.#pending);
    this.#pending = undefined;
    this.#storing = this.#send(this.#sent);
    this.#storing.catch(() => undefined); // who waits for it is told
  }

  /** @param {Buffer} message */
  async #send(message) {
    const status = await this.#client.send(message);
    this.#sent = undefined;
    if (status === STOPPING) this.termination.sent();
    if (status >= 400 && !this.#complained) {
      this.#complained = true;
      this.note(`a checkpoint could not be stored: the runtime api answered ${status}`);
    }
    await this.#breathe(); // else a signal that has come meanwhile is heard by nobody
    this.#storing = undefined;
    this.#stored();
  }

  #stored() {
    sooner(this.#timer);
    this.#timer = undefined;
    this.#due = clock() + this.every;
    const pause = this.termination.come ? 0 : this.every;
    if (this.#pending) this.#timer = later(() => this.#store(), pause).unref();
    else this.termination.saving(undefined);
  }

  async #breathe() {
    // After the first, the loop has yet to ask what has come.
    for (let count = 0; count < 2; count += 1) await new Promise((resolve) => turn(resolve));
    this.#breath = clock();
  }
}

/**
 * A checkpoint as JSON, whatever becomes of the value afterwards.
 * @param {unknown} value
 */
function text(value) {
  const body = encode(value, "checkpoint", CheckpointNotJson);
  if (body.length <= MOST) return body;
  const has = `the checkpoint has ${digits(body.length)} bytes, and at most ${digits(MOST)} are kept`;
  throw new CheckpointTooLarge(`${has}: put what is large into a file or into S3, and yield where it is`);
}

/** @param {number} number */
function digits(number) {
  return String(number).replace(/\B(?=(\d{3})+$)/g, ",");
}
