/**
 * `node blank.mjs FD`: a process that has imported what a job needs of installed packages, and
 * waits to become its worker. It speaks over the socket FD, a line of JSON at a time:
 *
 * - it is told `{"preload": [file, ...], "later": [name, ...]}`: what to import, and the variables
 *   that only a worker has;
 * - it says `{"ready": true}`, or `{"unfit": "why"}` and ends: a worker that began like this would
 *   not be what a fresh one is;
 * - it is told `{"env": {...}, "out": "file"}`: the worker's variables, and where its output goes;
 * - it says `{"taken": true}`, and is the worker.
 */

import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import { prepare, main as work } from "./invocation.mjs";

const control = Number(process.argv[2]);
process.argv.splice(1, Infinity, fileURLToPath(new URL("worker.mjs", import.meta.url)));
const turn = setImmediate;
/** Turns of the event loop in which an import's own work may come to its end. */
const TURNS = 20;

/** @returns {any} */
function hear() {
  const byte = Buffer.alloc(1 << 16);
  let text = Buffer.alloc(0);
  while (text[text.length - 1] !== 10) {
    const count = readSync(control, byte, 0, byte.length, null);
    if (count === 0) process.exit(0); // nobody needs it any more
    text = Buffer.concat([text, byte.subarray(0, count)]);
  }
  return JSON.parse(text.toString());
}

/** @param {object} what */
function say(what) {
  const data = Buffer.from(`${JSON.stringify(what)}\n`);
  for (let sent = 0; sent < data.length; ) sent += writeSync(control, data, sent);
}

/** @param {string} why @returns {never} */
function unfit(why) {
  say({ unfit: why });
  process.exit(0);
}

/**
 * The environment, in which what is not known yet seems to be there: whether it is there may be
 * asked, its value may not.
 * @param {NodeJS.ProcessEnv} environment
 * @param {Set<string>} later
 */
function watched(environment, later) {
  const watch = { asked: "", on: true };
  const hidden = (/** @type {string | symbol} */ name) => watch.on && typeof name === "string" && later.has(name);
  const proxy = new Proxy(environment, {
    get(target, name) {
      if (hidden(name)) watch.asked ||= String(name);
      return Reflect.get(target, name);
    },
    set: (target, name, value) => Reflect.set(target, name, value),
    has: (target, name) => hidden(name) || Reflect.has(target, name),
    ownKeys: (target) => [...new Set([...Reflect.ownKeys(target), ...(watch.on ? later : [])])],
    getOwnPropertyDescriptor(target, name) {
      const found = Reflect.getOwnPropertyDescriptor(target, name);
      if (found || !hidden(name)) return found;
      return { value: undefined, writable: true, enumerable: true, configurable: true };
    },
  });
  return { watch, proxy };
}

async function main() {
  const { preload, later } = hear();
  prepare();
  const environment = process.env;
  const { watch, proxy } = watched(environment, new Set(later));
  process.env = proxy;
  for (const file of preload) {
    try {
      await import(pathToFileURL(file).href);
    } catch (error) {
      unfit(`${file} cannot be imported: ${error}`);
    }
  }
  for (let count = 0; count === 0 || (goesOn() && count < TURNS); count += 1) {
    await new Promise((resolve) => turn(resolve));
  }
  process.env = environment;
  if (environment.DEVBRIDGE_FUNCTION) await import("./function.mjs");
  if (watch.asked) unfit(`its packages read ${watch.asked} when they are imported`);
  if (goesOn()) unfit(`its packages have begun something: ${process.getActiveResourcesInfo()}`);
  say({ ready: true });
  const { env, out } = hear();
  watch.on = false;
  Object.assign(environment, env);
  // The lowest descriptor that is free is taken: 1, then 2.
  closeSync(1);
  openSync(out, "w");
  closeSync(2);
  openSync(out, "w");
  say({ taken: true });
  closeSync(control);
  work();
}

function goesOn() {
  return process.getActiveResourcesInfo().some((kind) => kind !== "TTYWrap" && kind !== "PipeWrap" && kind !== "Immediate");
}

main().catch((error) => unfit(String(error)));
