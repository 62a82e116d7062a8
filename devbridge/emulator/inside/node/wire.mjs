// What a Node function's process reads and writes: requests, answers, and its log.
//
// Requests come from descriptor 3, answers go to 4, a line of JSON each: what a function or a process
// of its own prints is never taken for an answer. Reading blocks, so between two invocations nothing
// runs, as on AWS, which freezes the process.

import { readSync, writeSync } from "node:fs";
import { format } from "node:util";

const [, MARK, LINE_BREAK, RUNTIME, NOTE] = process.argv.splice(1, 5, "/var/runtime/index.mjs");

/** Before what is for the embedded cloud and no other; and a line of the log that ends an invocation. */
export { MARK, NOTE, RUNTIME };

/** The runtime of Node 22 has callbacks, and waits for an empty event loop. */
export const HAS_CALLBACKS = Number(/\d+/.exec(RUNTIME)?.[0]) < 24;

const LOG = 2;
const REQUESTS = 3;
const ANSWERS = 4;

/**
 * @param {number} descriptor
 * @param {string} text
 */
function write(descriptor, text) {
  let bytes = Buffer.from(text);
  while (bytes.length) {
    try {
      bytes = bytes.subarray(writeSync(descriptor, bytes));
    } catch (error) {
      const { code } = /** @type {NodeJS.ErrnoException} */ (error);
      if (code !== "EAGAIN" && code !== "EINTR") throw error;
      // The pipe is full, and does not block since `process.stdout` was used: wait a millisecond.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

/** @type {Buffer[]} */
let read = [];

/**
 * The next request, or undefined if there will be none.
 *
 * @returns {Promise<any>}
 */
export async function next() {
  const bytes = Buffer.allocUnsafe(65536);
  for (;;) {
    const end = read.at(-1)?.indexOf(10) ?? -1;
    if (end >= 0) {
      const last = /** @type {Buffer} */ (read.pop());
      const line = Buffer.concat([...read, last.subarray(0, end)]).toString();
      read = [last.subarray(end + 1)];
      return JSON.parse(line);
    }
    try {
      const count = readSync(REQUESTS, bytes);
      if (!count) return undefined;
      read.push(Buffer.from(bytes.subarray(0, count)));
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== "EINTR") throw error;
      await new Promise(setImmediate); // a signal that the function listens to
    }
  }
}

/**
 * Tells the embedded cloud what has become of an invocation, or of the start.
 *
 * @param {string} message JSON
 */
export function answer(message) {
  write(LOG, `${MARK}\n`);
  const plain = message.replace(
    /[\u007f-\uffff]/g,
    (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  write(ANSWERS, `${plain}\n`);
}

/** Waits until what was printed is written: it belongs to the invocation that printed it. */
export async function printed() {
  for (const stream of [process.stdout, process.stderr]) {
    if (stream.writableLength) await new Promise((done) => stream.write("", done));
  }
}

/** @type {string | undefined} */
let requestId;

/** @param {string} id of the invocation that goes on from now on */
export function setRequestId(id) {
  requestId = id;
}

/**
 * Writes one event, which may have several lines.
 *
 * @param {string} level
 * @param {unknown[]} said
 */
export function log(level, said) {
  const id = requestId ?? (HAS_CALLBACKS ? "undefined" : "-");
  line(`${new Date().toISOString()}\t${id}\t${level}\t${format(...said)}`);
}

/** @param {string} event */
export function line(event) {
  write(LOG, `${event.replaceAll("\n", LINE_BREAK)}\n`);
}

/** Has `console` write to the log as AWS's runtime does. */
export function patchConsole() {
  for (const name of ["trace", "debug", "info", "warn", "error", "fatal"]) {
    const level = name.toUpperCase();
    Object.assign(console, { [name]: (/** @type {unknown[]} */ ...said) => log(level, said) });
  }
  console.log = console.info;
}
