import assert from "node:assert/strict";
import { test } from "node:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import {
  CloudError,
  TimeNotAllowed,
  InvokeError,
  Job,
  JobCancelled,
  JobCrashed,
  JobFailed,
  JobNotFinished,
  JobTimedOut,
  NotFound,
  PayloadInvalid,
  PayloadNotJson,
  PayloadTooLarge,
  UnknownRun,
} from "../../../../../devbridge/languages/node/package/job.js";
import { KEYS, environment, folder, served } from "./helpers.mjs";

const ACCEPTED = { jobId: "r1", job: "factorial", state: "QUEUED", attempt: 1, maxAttempts: 2 };

/** A job whose invoker answers so. */
async function bound(t, answer, more = {}) {
  const server = await served(t, typeof answer === "function" ? answer : () => ({ body: answer }));
  environment(t, {
    ...KEYS,
    AWS_ENDPOINT_URL: server.url,
    DEVBRIDGE_Job_functionName_factorial: "demo_dev_factorial-invoker",
    DEVBRIDGE_Job_functionName_my_job: "demo_dev_my-job-invoker",
    ...more,
  });
  return { ...server, events: () => server.requests.map(({ body }) => JSON.parse(body)) };
}

function schemas(t, found) {
  const file = join(folder(t), "schemas.json");
  writeFileSync(file, JSON.stringify(found));
  return { DEVBRIDGE_SCHEMAS: file };
}

test("run sends the payload to the invoker and tells the run", async (t) => {
  const server = await bound(t, { ...ACCEPTED, duplicate: true });
  const run = await Job.factorial.run({ payload: { num: 100 }, idempotencyKey: "k" });
  assert.deepEqual(run, { jobId: "r1", state: "QUEUED", duplicate: true });
  assert.deepEqual(server.events(), [
    { devbridge: 1, action: "run", idempotencyKey: "k", payload: { num: 100 } },
  ]);
  const [request] = server.requests;
  assert.equal(request.url, "/2015-03-31/functions/demo_dev_factorial-invoker/invocations");
  assert.equal(request.headers["x-amz-invocation-type"], "RequestResponse");
  assert.match(request.headers.authorization, /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d{8}\/eu-west-1\/lambda\//);
});

test("a run for a later time is scheduled, at a whole second", async (t) => {
  const server = await bound(t, { ...ACCEPTED, state: "SCHEDULED" });
  const at = new Date(Date.now() + 2 * 86_400_000);
  at.setMilliseconds(1);
  assert.equal((await Job.factorial.run({ payload: 1, at })).state, "SCHEDULED");
  await Job.factorial.run({ delay: 3600 });
  const [first, second] = server.events();
  const whole = new Date(at.getTime() + 999).toISOString().replace(".000Z", "Z");
  assert.equal(first.startAt, whole);
  assert.deepEqual([first.action, first.payload, first.generatedKey], ["schedule", 1, true]);
  const ahead = Date.parse(second.startAt) - Date.now();
  assert.ok(ahead > 3_500_000 && ahead <= 3_601_000);
});

test("a run whose time is over is started now", async (t) => {
  const server = await bound(t, ACCEPTED);
  await Job.factorial.run({ at: new Date(0) });
  await Job.factorial.run({ delay: 0 });
  for (const event of server.events()) {
    assert.equal(event.action, "run");
    assert.equal("startAt" in event, false);
  }
});

test("a time that is none is refused before anything is sent", async (t) => {
  const server = await bound(t, ACCEPTED);
  for (const times of [
    { at: "2030-01-01" },
    { at: new Date(NaN) },
    { delay: -1 },
    { delay: "2 hours" },
    { delay: 367 * 86_400 },
    { delay: 1, at: new Date() },
  ]) {
    await assert.rejects(Job.factorial.run(times), TimeNotAllowed);
  }
  assert.deepEqual(server.events(), []);
});

test("a name with '-' is found by itself and with '_'", async (t) => {
  const server = await bound(t, ACCEPTED);
  await Job["my-job"].run();
  await Job.my_job.run({});
  assert.deepEqual(Object.keys(Job), ["factorial", "my_job"]);
  assert.ok("my-job" in Job && !("other" in Job));
  assert.deepEqual(server.requests.map(({ url }) => url.split("/")[3]), [
    "demo_dev_my-job-invoker",
    "demo_dev_my-job-invoker",
  ]);
});

test("without a payload, null is sent, and 0, false and '' are what they are", async (t) => {
  const server = await bound(t, ACCEPTED);
  for (const payload of [undefined, null, 0, false, "", []]) await Job.factorial.run({ payload });
  assert.deepEqual(server.events().map(({ payload }) => payload), [null, null, 0, false, "", []]);
});

test("a call that is tried again has the same key, so that the job is started once", async (t) => {
  const server = await bound(t, (_, count) =>
    count === 1 ? null : count === 2 ? { status: 503, body: "" } : { body: ACCEPTED });
  await Job.factorial.run({ payload: 1 });
  const keys = server.events().map(({ idempotencyKey, generatedKey }) => [idempotencyKey, generatedKey]);
  assert.equal(keys.length, 3);
  assert.deepEqual(keys[1], keys[0]);
  assert.deepEqual(keys[2], keys[0]);
  assert.match(keys[0][0], /^[0-9a-f-]{36}$/);
  assert.equal(keys[0][1], true);
});

test("what AWS refuses is told with its words, and not tried again", async (t) => {
  const server = await bound(t, () => ({
    status: 404,
    headers: { "x-amzn-errortype": "ResourceNotFoundException:http://x" },
    body: { Message: "Function not found" },
  }));
  await assert.rejects(Job.factorial.run(), (error) => {
    assert.ok(error instanceof CloudError);
    assert.equal(error.what, "lambda did not do what it was asked: ResourceNotFoundException: Function not found");
    assert.equal(error.where, `${server.url}/2015-03-31/functions/demo_dev_factorial-invoker/invocations`);
    return true;
  });
  assert.equal(server.requests.length, 1);
});

test("throttling is waited out", async (t) => {
  const server = await bound(t, (_, count) =>
    count === 1
      ? { status: 429, headers: { "x-amzn-errortype": "TooManyRequestsException" } }
      : { body: ACCEPTED });
  assert.equal((await Job.factorial.run()).jobId, "r1");
  assert.equal(server.requests.length, 2);
});

test("a clock that is wrong is put right by AWS's own", async (t) => {
  const server = await bound(t, (_, count) =>
    count === 1
      ? { status: 403, headers: { date: new Date(Date.now() + 3600_000).toUTCString() }, body: { message: "Signature expired" } }
      : { body: ACCEPTED });
  await Job.factorial.run();
  const [first, second] = server.requests.map(({ headers }) => headers["x-amz-date"]);
  assert.ok(second > first, `${second} is not after ${first}`);
  assert.notEqual(first.slice(0, 11), second.slice(0, 11));
});

test("a failed invoker is told", async (t) => {
  await bound(t, () => ({
    headers: { "x-amz-function-error": "Unhandled" },
    body: { errorType: "Runtime.ExitError", errorMessage: "exit" },
  }));
  await assert.rejects(Job.factorial.run(), (error) => {
    assert.ok(error instanceof InvokeError);
    assert.equal(error.name, "InvokeError");
    assert.equal(error.what, "the invoker failed: Runtime.ExitError: exit");
    assert.equal(error.where, "job 'factorial', invoker demo_dev_factorial-invoker");
    return true;
  });
});

test("refusals have their code and message, and an unknown run a class of its own", async (t) => {
  await bound(t, (request) => ({
    body: {
      error: JSON.parse(request.body).action === "status"
        ? { code: "UnknownRun", message: "no run x" }
        : { code: "NobodyThere", message: "nobody runs devbridge dev" },
    },
  }));
  await assert.rejects(Job.factorial.cancel("x"), { name: "InvokeError", what: "NobodyThere: nobody runs devbridge dev" });
  await assert.rejects(Job.factorial.status("x"), (error) => error instanceof UnknownRun && error instanceof NotFound && error.what === "no run x");
});

test("an answer that is none is an error", async (t) => {
  await bound(t, () => ({ body: "<html>" }));
  await assert.rejects(Job.factorial.status("x"), { what: "BadAnswer: the invoker's answer is no JSON" });
});

test("cancel tells what it met and what is now", async (t) => {
  const server = await bound(t, { jobId: "r1", was: "QUEUED", state: "CANCELLED" });
  assert.deepEqual(await Job.factorial.cancel("r1"), { jobId: "r1", was: "QUEUED", state: "CANCELLED" });
  assert.deepEqual(server.events(), [{ devbridge: 1, action: "cancel", jobId: "r1", payload: null }]);
});

test("status has the error of a run that has failed", async (t) => {
  await bound(t, { ...ACCEPTED, state: "FAILED", failure: { type: "Error", message: "no" } });
  assert.deepEqual(await Job.factorial.status("r1"), {
    jobId: "r1", job: "factorial", state: "FAILED", attempt: 1, maxAttempts: 2,
    errorType: "Error", errorMessage: "no", final: true,
  });
});

test("result gives what the handler returned, and undefined is null", async (t) => {
  await bound(t, (_, count) => ({
    body: { ...ACCEPTED, state: "SUCCEEDED", ...(count === 1 ? { result: 0 } : {}) },
  }));
  assert.equal(await Job.factorial.result("r1"), 0);
  assert.equal(await Job.factorial.result("r1"), null);
});

for (const [state, kind] of [["FAILED", JobFailed], ["CANCELLED", JobCancelled], ["TIMED_OUT", JobTimedOut], ["CRASHED", JobCrashed]]) {
  test(`result throws ${kind.name} for a run that has ended ${state}`, async (t) => {
    await bound(t, { ...ACCEPTED, state, failure: { type: "ValueError", message: "no" } });
    await assert.rejects(Job.factorial.result("r1"), (error) => {
      assert.equal(error.constructor, kind);
      assert.ok(error instanceof JobFailed);
      assert.equal(error.what, `the run has ended ${state}: ValueError: no`);
      assert.equal(error.errorType, "ValueError");
      assert.equal(error.errorMessage, "no");
      assert.equal(error.where, "job 'factorial', run r1");
      return true;
    });
  });
}

test("a run that goes on has no result yet", async (t) => {
  await bound(t, { ...ACCEPTED, state: "RUNNING" });
  await assert.rejects(Job.factorial.result("r1"), (error) =>
    error instanceof JobNotFinished && error.what === "the run is RUNNING: it has no result yet");
});

test("wait asks until the run has ended", async (t) => {
  await bound(t, (_, count) => ({ body: { ...ACCEPTED, state: count < 3 ? "RUNNING" : "SUCCEEDED" } }));
  assert.equal((await Job.factorial.wait("r1", { poll: 0 })).state, "SUCCEEDED");
});

test("wait gives up in time, and when its signal says so", async (t) => {
  const server = await bound(t, { ...ACCEPTED, state: "RUNNING" });
  await assert.rejects(Job.factorial.wait("r1", { timeout: 0, poll: 1 }), { name: "JobNotFinished", what: "the run is RUNNING after 0 s" });
  const reason = new Error("enough");
  const controller = new AbortController();
  const waited = Job.factorial.wait("r1", { poll: 1000, signal: controller.signal });
  while (server.requests.length < 2) await new Promise(setImmediate);
  controller.abort(reason);
  await assert.rejects(waited, reason);
});

test("a job that is not bound is said, with those that are", async (t) => {
  await bound(t, ACCEPTED);
  await assert.rejects(Job.other.run(), (error) => {
    assert.ok(error instanceof NotFound);
    assert.equal(
      error.message,
      "Job 'other' is not bound here\n  where: environment variable DEVBRIDGE_Job_functionName_other\n" +
        "  to do: add it to `bind` in app.py; bound are: factorial, my_job",
    );
    return true;
  });
});

test("a payload that the handler would refuse is not sent", async (t) => {
  const schema = { type: "object", properties: { num: { type: "integer" } }, required: ["num"] };
  const server = await bound(t, ACCEPTED, schemas(t, { "my-job": schema }));
  await assert.rejects(Job.my_job.run({ payload: { num: "1" } }), (error) => {
    assert.ok(error instanceof PayloadInvalid);
    assert.equal(error.what, "the payload is not what job 'my-job' takes: Expected `int`, got `str`");
    assert.equal(error.where, "$.num");
    return true;
  });
  await Job.my_job.run({ payload: { num: 1 } });
  await Job.factorial.run({ payload: "anything" });
  assert.equal(server.requests.length, 2);
});

test("what JSON has no form for is refused with its path", async (t) => {
  await bound(t, ACCEPTED);
  const circle = { a: {} };
  circle.a.b = circle;
  for (const [payload, path, what] of [
    [{ a: [1n] }, "$.a[0]", "a bigint"],
    [{ a: { b: NaN } }, "$.a.b", "NaN, which JSON does not have"],
    [[() => 1], "$[0]", "a function"],
    [{ a: new Map([[1, 2]]) }, "$.a", "a Map, of which nothing is written"],
    [new Set([1]), "$", "a Set, of which nothing is written"],
    [{ a: Symbol("x") }, "$.a", "a symbol"],
    [{ a: Promise.resolve(1) }, "$.a", "a promise"],
    [{ a: new Date("x") }, "$.a", "an invalid Date"],
    [{ a: new Uint8Array(2) }, "$.a", "bytes (Uint8Array)"],
    [{ a: Buffer.from("x") }, "$.a", "bytes (Buffer)"],
    [circle, "payload of type Object", "Converting circular structure to JSON"],
  ]) {
    await assert.rejects(Job.factorial.run({ payload }), (error) => {
      assert.ok(error instanceof PayloadNotJson, String(error));
      assert.equal(error.what, `the payload cannot be written as JSON: ${what}`);
      assert.equal(error.where, path);
      return true;
    });
  }
});

test("what JSON.stringify writes is sent: dates as text, undefined members not at all", async (t) => {
  const server = await bound(t, ACCEPTED);
  const payload = { when: new Date(0), left: undefined, url: new URL("http://x/"), text: "\u2028\ud800" };
  await Job.factorial.run({ payload });
  // Its digits go as text, as a fraction's would.
  assert.deepEqual(JSON.parse(server.events()[0].payloadText), {
    when: "1970-01-01T00:00:00.000Z", url: "http://x/", text: "\u2028\ud800",
  });
});

test("numbers of many digits go as text, which Lambda leaves alone", async (t) => {
  const server = await bound(t, ACCEPTED);
  await Job.factorial.run({ payload: { a: 0.30000000000000004 } });
  const { devbridge, payload, payloadText } = server.events()[0];
  assert.deepEqual([devbridge, payload, payloadText], [2, undefined, '{"a":0.30000000000000004}']);
});

test("over 6 MB nothing is sent", async (t) => {
  const server = await bound(t, ACCEPTED);
  await assert.rejects(Job.factorial.run({ payload: "x".repeat(6 * 1024 * 1024) }), (error) => {
    assert.ok(error instanceof PayloadTooLarge);
    assert.match(error.what, /^the payload has 6,291,\d{3} bytes; AWS Lambda takes 6,291,456$/);
    return true;
  });
  assert.equal(server.requests.length, 0);
});

test("the object itself can be awaited and printed", async (t) => {
  await bound(t, ACCEPTED);
  assert.equal(await Job, Job);
  assert.equal(JSON.stringify(Job), "{\"factorial\":{},\"my_job\":{}}");
  assert.throws(() => { Job.factorial = 1; }, TypeError);
});
