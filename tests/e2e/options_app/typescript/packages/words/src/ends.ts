/** All the ways in which Node's code ends, in a workspace's package. */

import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import { jobHandler, type JobContext } from "devbridge/job";
import { Loudness, say } from "./index";

type Asked = { do: string; [name: string]: any };
type Done = (payload: Asked, context: JobContext) => unknown;

export const handler = jobHandler("ends", (payload: Asked, context) =>
  does[payload.do](payload, context),
);

const does: Record<string, Done> = {
  "prints objects"() {
    console.log("an object", { a: [1, { b: { c: { d: 1 } } }], when: new Date(0), f: says });
    console.log("%s is %d%%", "half", 50, new Map([["k", new Set([1n])]]));
    console.table([{ a: 1 }]);
    console.error(new Error("printed").message, [undefined, null], Symbol("s"));
  },

  async "rejects and nobody handles it"() {
    Promise.reject(new TypeError("nobody handles this"));
    await sleep(5_000);
  },

  async "throws where nobody catches"() {
    setTimeout(() => say("", Loudness.Loud), 1);
    await sleep(5_000);
  },

  "never settles": () => new Promise(() => {}),

  async "has a thread"(payload) {
    const code = "const { parentPort, workerData } = require('node:worker_threads');";
    const worker = new Worker(`${code} parentPort.postMessage(workerData * 2);`, {
      eval: true,
      workerData: payload.number,
    });
    return new Promise((resolve, reject) => worker.on("message", resolve).on("error", reject));
  },

  async "has a thread that fails"() {
    new Worker("throw new RangeError('in a thread')", { eval: true });
    await sleep(5_000);
  },

  async "has a child"() {
    const child = await promisify(execFile)(process.execPath, ["-p", "6 * 7"]);
    return [child.stdout.trim(), Object.keys(process.env).filter((name) => /^NODE_(OPTIONS|PATH)$/.test(name))];
  },

  async "has a child that fails"() {
    await promisify(execFile)("/bin/sh", ["-c", "exit 7"]);
  },

  "returns a bigint": () => ({ total: [2n ** 64n] }),

  "returns a map": () => new Map([["a", 1]]),

  "returns itself"() {
    const itself: { list: unknown[] } = { list: [] };
    itself.list.push(itself);
    return itself;
  },

  "returns undefined": () => undefined,

  "throws a text"() {
    throw "only a text";
  },

  async "fails in many ways"() {
    const ended = await Promise.allSettled([says("", 1), says("", 2), says("heard", 3)]);
    const reasons = ended.flatMap((each) => ("reason" in each ? [each.reason] : []));
    throw new AggregateError(reasons, "2 of 3 have failed");
  },

  async "hears of its end"(payload, { signal }) {
    writeFileSync(payload.started, "");
    await sleep(600_000, undefined, { signal }).catch(() => {
      writeFileSync(payload.heard, `${signal.aborted} ${signal.reason.name}`);
    });
    throw signal.reason;
  },

  async "fails deep down"() {
    await says("", 1);
  },
};

async function says(word: string, number: number): Promise<string> {
  await sleep(number);
  try {
    return say(word, Loudness.Quiet);
  } catch (cause) {
    throw new Error(`word ${number} cannot be said`, { cause });
  }
}
