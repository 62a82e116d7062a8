import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { jobHandler, PayloadInvalid, UnknownJob } from "../../../../../devbridge/languages/node/package/job.js";
import { Secret } from "../../../../../devbridge/languages/node/package/resources.js";
import { KEYS, environment, folder, served } from "./helpers.mjs";

/** As zod, valibot and arktype make them. */
function standard(validate) {
  return { "~standard": { version: 1, vendor: "test", validate } };
}

test("a handler gets the payload and the context, and its answer is given back", async (t) => {
  environment(t, { DEVBRIDGE_JOB_NAME: "resize" });
  const context = {};
  const handler = jobHandler("resize", (payload, given) => [payload, given === context]);
  assert.deepEqual(await handler({ a: 1 }, context), [{ a: 1 }, true]);
  assert.deepEqual(await handler(), [null, false]);
});

test("a handler that is a generator is one still, and is checked before its first step", async (t) => {
  environment(t, { DEVBRIDGE_JOB_NAME: "train" });
  const context = {};
  for (const made of [
    function* (payload, given) { yield* [1, payload]; return given === context; },
    async function* (payload, given) { yield* [1, payload]; return given === context; },
  ]) {
    const steps = jobHandler("train", made)(2, context);
    assert.equal(steps[Symbol.asyncIterator](), steps);
    assert.deepEqual([await steps.next(), await steps.next(), await steps.next()], [
      { value: 1, done: false }, { value: 2, done: false }, { value: true, done: true },
    ]);
    await assert.rejects(jobHandler("other", made)(2).next(), UnknownJob);
  }
  const closed = [];
  const steps = jobHandler("train", function* () {
    for (;;) {
      try { yield closed.length; } catch (error) { closed.push(error); } finally { closed.push("finally"); }
    }
  })();
  await steps.next();
  assert.deepEqual(await steps.throw("thrown"), { value: 2, done: false });
  assert.deepEqual(await steps.return(3), { value: 3, done: true });
  assert.deepEqual(closed, ["thrown", "finally", "finally"]);
});

test("a handler refuses to run for another job", async (t) => {
  environment(t, { DEVBRIDGE_JOB_NAME: "other", _HANDLER: "jobs/resize.handler" });
  let ran = false;
  await assert.rejects(jobHandler("resize", () => { ran = true; })({}), (error) => {
    assert.ok(error instanceof UnknownJob);
    assert.equal(error.what, "this handler is for job 'resize', and was called for job 'other'");
    assert.equal(error.where, "jobs/resize.handler");
    assert.equal(error.remedy, "write jobHandler(\"other\", ...), or correct the job's handler in app.py");
    return true;
  });
  assert.equal(ran, false);
});

test("the payload is checked by the job's JSON Schema first", async (t) => {
  const file = join(folder(t), "schemas.json");
  writeFileSync(file, JSON.stringify({ resize: { type: "object", required: ["key"] } }));
  environment(t, { DEVBRIDGE_SCHEMAS: file });
  await assert.rejects(jobHandler("resize", () => 1)({}), (error) =>
    error instanceof PayloadInvalid && error.where === "$" &&
    error.what === "the payload is not what job 'resize' takes: Object missing required field `key`");
});

test("a Standard Schema makes the value, and its issues are told with their paths", async (t) => {
  environment(t, {});
  const schema = standard(async (value) =>
    typeof value === "number"
      ? { value: value + 1 }
      : { issues: [{ message: "no number", path: ["a", { key: 0 }, "b"] }, { message: "bad" }] });
  const handler = jobHandler("resize", { payload: schema }, async (payload) => payload);
  assert.equal(await handler(1), 2);
  await assert.rejects(handler("x"), (error) => {
    assert.ok(error instanceof PayloadInvalid);
    assert.equal(error.where, "$.a[0].b");
    assert.equal(error.what, "the payload is not what job 'resize' takes: no number; and 1 more: $: bad");
    return true;
  });
});

test("what is no handler or no schema is said at once", () => {
  assert.throws(() => jobHandler("resize"), TypeError);
  assert.throws(() => jobHandler("resize", { payload: {} }, () => 1), /payload is no Standard Schema/);
});

test("a handler tells its job and schema", () => {
  const schema = standard((value) => ({ value }));
  const mark = jobHandler("resize", { payload: schema }, () => 1)[Symbol.for("devbridge.handler")];
  assert.equal(mark.job, "resize");
  assert.equal(mark.schema, schema);
});

test("bound secrets are there when the handler runs, and are fetched once", async (t) => {
  const server = await served(t, (request) => ({
    body: { Parameters: JSON.parse(request.body).Names.map((Name) => ({ Name, Value: `value of ${Name}` })) },
  }));
  environment(t, {
    ...KEYS,
    AWS_ENDPOINT_URL_SSM: server.url,
    DEVBRIDGE_Secret_parameterName_api_key: "/devbridge/demo/dev/secrets/api-key",
  });
  const handler = jobHandler("resize", () => Secret["api-key"].value);
  assert.throws(() => Secret.api_key.value, { name: "NotFound", what: "secret 'api_key' has not been fetched" });
  const answers = await Promise.all([handler(1), handler(2)]);
  assert.deepEqual(answers, Array(2).fill("value of /devbridge/demo/dev/secrets/api-key"));
  assert.equal(server.requests.length, 1);
  assert.equal(server.requests[0].headers["x-amz-target"], "AmazonSSM.GetParameters");
  assert.deepEqual(JSON.parse(server.requests[0].body), {
    Names: ["/devbridge/demo/dev/secrets/api-key"], WithDecryption: true,
  });
});

test("a secret that is not set is said with the command that sets it", async (t) => {
  const server = await served(t, () => ({ body: { Parameters: [] } }));
  environment(t, {
    ...KEYS,
    AWS_ENDPOINT_URL: server.url,
    DEVBRIDGE_Secret_parameterName_lost: "/devbridge/demo/dev/secrets/lost",
  });
  await assert.rejects(jobHandler("resize", () => 1)(1), {
    name: "NotFound",
    what: "secret 'lost' is bound and has no value",
    remedy: "run `devbridge secrets set lost --stage dev --local`",
  });
});

test("SSM is asked for ten secrets at a time", async (t) => {
  const server = await served(t, (request) => ({
    body: { Parameters: JSON.parse(request.body).Names.map((Name) => ({ Name, Value: Name })) },
  }));
  const many = Object.fromEntries(
    Array.from({ length: 12 }, (_, i) => [`DEVBRIDGE_Secret_parameterName_many${i}`, `/many/${i}`]),
  );
  environment(t, { ...KEYS, AWS_ENDPOINT_URL: server.url, ...many });
  await jobHandler("resize", () => 1)(1);
  assert.deepEqual(server.requests.map(({ body }) => JSON.parse(body).Names.length), [10, 2]);
});
