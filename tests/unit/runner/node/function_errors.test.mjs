import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Fault, HandlerNotFound } from "../../../../runner/node/failure.mjs";
import { Place } from "../../../../runner/node/frames.mjs";
import { notLoaded, raised } from "../../../../runner/node/function_errors.mjs";

const HERE = path.dirname(fileURLToPath(import.meta.url));
const RUNNER = fileURLToPath(new URL("../../../../runner/node/function.mjs", import.meta.url));
const place = new Place(HERE, "function_errors.test.handler", undefined);

/** What the caller is told. */
function told(error, callbacks = false) {
  const { devbridge, ...document } = raised(error, place, callbacks, []);
  assert.ok(devbridge.errorType);
  return document;
}

test("callers are told what Lambda tells them, without the runner's frames", () => {
  class Own extends TypeError {}
  const error = new Own("a\x7Fb");
  error.stack = `TypeError: a\x7Fb\n    at f (${HERE}/a.ts:1:1)\n    at async run (file://${RUNNER}:1:1)`;
  const trace = ["TypeError: a%7Fb", `    at f (${HERE}/a.ts:1:1)`];
  assert.deepEqual(told(error), { errorType: "TypeError", errorMessage: "a%7Fb", trace });
  assert.equal(raised(error, place, false, ["n"]).devbridge.errorType, "TypeError");
  assert.deepEqual(raised(error, place, false, ["n"]).devbridge.notes, ["n"]);
});

test("what is no error is told as its runtime tells it", () => {
  assert.deepEqual(told("text"), { errorType: "string", errorMessage: "text", trace: [] });
  assert.deepEqual(told(null), { errorType: "object", errorMessage: "null", trace: [] });
  assert.equal(told(null, true).errorType, "handled");
  assert.equal(told(Object.create(null)).errorType, "handled");
  const alike = { name: "Alike", message: "m", stack: "Alike: m" };
  assert.deepEqual(told(alike, true), { errorType: "Alike", errorMessage: "m", trace: ["Alike: m"] });
  assert.deepEqual(told(alike), { errorType: "object", errorMessage: "[object Object]", trace: [] });
});

test("a fault is told in other words to the developer", () => {
  const document = raised(new Fault("Runtime.X", "Lambda's", { message: "ours" }), place, false, []);
  const { devbridge, ...told } = document;
  assert.deepEqual(told, { errorType: "Runtime.X", errorMessage: "Lambda's", trace: ["Runtime.X: Lambda's"] });
  assert.deepEqual([devbridge.errorType, devbridge.errorMessage], ["Runtime.X", "ours"]);
  for (const cause of [new RangeError("inner"), undefined]) {
    const { devbridge } = raised(new Fault("Runtime.X", "Lambda's", { cause }), place, false, []);
    assert.equal(devbridge.errorType, cause ? "RangeError" : "undefined");
  }
});

test("of what cannot be loaded the message says where", () => {
  const error = new Error("boom");
  error.stack = `Error: boom\n    at f (${HERE}/api/a.ts:3:5)\n    at file://${HERE}/api/b.ts:7:1`;
  assert.equal(notLoaded(error, place, false, []).errorMessage, "boom (api/a.ts:3:5)");
  error.stack = `Error: boom\n    at file://${HERE}/api/b.ts:7:1`;
  assert.equal(notLoaded(error, place, false, []).errorMessage, "boom (api/b.ts:7:1)");
  const nothing = new Fault("Runtime.HandlerNotFound", "a.handler is undefined or not exported", { cause: new HandlerNotFound("hint") });
  const { devbridge, errorMessage } = notLoaded(nothing, place, false, []);
  assert.deepEqual([errorMessage, devbridge.errorMessage], ["a.handler is undefined or not exported", "hint"]);
});
