import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { describe, ResultNotJson } from "../../../../runner/node/failure.mjs";
import { Place } from "../../../../runner/node/frames.mjs";

const HERE = path.dirname(fileURLToPath(import.meta.url));
const place = new Place(HERE, "failure.test.handler", undefined);

/** An error with a stack of these frames, the innermost first. */
function thrown(message, ...frames) {
  const error = new Error(message);
  error.stack = [`Error: ${message}`, ...frames.map((each) => `    at ${each}`)].join("\n");
  return error;
}

test("only the user's own frames are told, the innermost last", () => {
  const error = thrown(
    "x",
    `inner (${HERE}/lib/a b (1).ts:3:5)`, `Object.foreign (${HERE}/node_modules/x/index.js:1:1)`,
    "node:internal/process/task_queues:95:5", `async ${HERE}/jobs/a.ts:9:1`,
    `new Thing (file://${HERE}/jobs/%C3%A4.ts?x=1:2:1)`, "Array.map (<anonymous>)", "eval (eval at x (y), <anonymous>:1:1)",
    "async Promise.all (index 0)", "main (/elsewhere/c.ts:1:1)",
  );
  assert.deepEqual(describe(error, place).stackTrace, [
    "at new Thing (jobs/ä.ts:2:1)", "at async (jobs/a.ts:9:1)", "at inner (lib/a b (1).ts:3:5)",
  ]);
});

test("a message that looks like frames is none", () => {
  const error = thrown(`a\n    at fake (${HERE}/a.ts:1:1)`, `real (${HERE}/b.ts:1:1)`);
  assert.deepEqual(describe(error, place).stackTrace, ["at real (b.ts:1:1)"]);
});

test("of many frames both ends are kept", () => {
  const frames = Array.from({ length: 100 }, (_, index) => `f${index} (${HERE}/a.ts:${index + 1}:1)`);
  const told = describe(thrown("x", ...frames), place).stackTrace;
  assert.equal(told.length, 41);
  assert.equal(told[0], "at f99 (a.ts:100:1)");
  assert.equal(told[20], "... 60 more frames ...");
  assert.equal(told[40], "at f0 (a.ts:1:1)");
});

test("the line of the source is told where it can be read", () => {
  const told = describe(thrown("x", `f (${HERE}/failure.test.mjs:1:1)`), place).stackTrace;
  assert.deepEqual(told, ['at f (failure.test.mjs:1:1)\n    import assert from "node:assert/strict";']);
});

test("long texts are cut in the middle", () => {
  const told = describe(thrown("a".repeat(100_000)), place).errorMessage;
  assert.ok(told.length < 66_000);
  assert.match(told, /a\n\.\.\. 34464 more characters \.\.\.\na/);
});

test("types are the class's where the name says nothing", () => {
  class Own extends Error {}
  class Named extends Error { name = "ByName"; }
  const names = [new Own(), new Named(), new TypeError(), new DOMException("x", "AbortError")].map((e) => describe(e, place).errorType);
  assert.deepEqual(names, ["Own", "ByName", "TypeError", "AbortError"]);
});

test("what is no error is told as what it is", () => {
  const words = ["text", null, undefined, 1n, [1], { a: 1 }, () => 1].map((thing) => {
    const { errorType, errorMessage } = describe(thing, place);
    return `${errorType}: ${errorMessage}`;
  });
  assert.deepEqual(words, [
    "string: text", "null: null", "undefined: undefined", "bigint: 1n", "Array: [ 1 ]", "Object: { a: 1 }",
    "function: [Function (anonymous)]",
  ]);
});

test("an error that resists is told all the same", () => {
  const hostile = new Proxy(new Error("x"), { get() { throw new Error("no"); }, getPrototypeOf: () => Error.prototype });
  const told = describe(hostile, place);
  assert.equal(told.errorMessage, "<its message threw Error>");
  const object = { [Symbol.for("nodejs.util.inspect.custom")]() { throw new RangeError("x"); } };
  assert.equal(describe(object, place).errorMessage, "<showing it threw RangeError>");
});

test("a code that the message does not have is a note", () => {
  const error = Object.assign(thrown("x"), { code: "ERR_THING" });
  assert.deepEqual(describe(error, place, ["nobody caught it"]).notes, ["code: ERR_THING", "nobody caught it"]);
});

test("our own errors have no frames", () => {
  const told = describe(new ResultNotJson("result is NaN"), place);
  assert.deepEqual([told.errorType, told.stackTrace, told.trace], ["ResultNotJson", [], []]);
});

test("the trace is whole where the user's code is in it, and else there is none", () => {
  const runner = fileURLToPath(new URL("../../../../runner/node/x.mjs", import.meta.url));
  const error = thrown("x", `f (${HERE}/a.ts:1:1)`, `g (${runner}:1:1)`, "node:internal/x:1:1");
  assert.deepEqual(describe(error, place).trace, ["Error: x", `    at f (${HERE}/a.ts:1:1)`, "    at node:internal/x:1:1"]);
  assert.deepEqual(describe(thrown("x", "node:internal/x:1:1"), place).trace, []);
});
