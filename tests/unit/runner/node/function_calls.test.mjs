import assert from "node:assert/strict";
import { test } from "node:test";
import { answer, answerOrCallBack, check, contextOf, hasCallbacks, offerGlobals } from "../../../../runner/node/function_calls.mjs";

/** What Node 22's runtime answers; `empty` is called as soon as the event loop would be empty. */
async function calledBack(handler, event = null, prepare = () => undefined) {
  let empty;
  const context = {};
  const answered = answerOrCallBack((...given) => (prepare(context), handler(...given)), event, context, (what) => (empty = what));
  answered.catch(() => undefined);
  for (let turns = 0; turns < 10; turns += 1) await new Promise((resolve) => setImmediate(resolve));
  empty?.();
  return JSON.parse((await answered).toString());
}

/** The error that something ends with. */
async function errorOf(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new assert.AssertionError({ message: "it was answered" });
}

test("the runtime says which calls there are, and else node itself", () => {
  const of = (runtime) => hasCallbacks({ AWS_EXECUTION_ENV: runtime });
  assert.deepEqual(["AWS_Lambda_nodejs22.x", "AWS_Lambda_nodejs24.x", "AWS_Lambda_nodejs26.x"].map(of), [true, false, false]);
  assert.equal(hasCallbacks({}), Number(process.versions.node.split(".")[0]) < 24);
});

test("what is returned, or comes later, is the answer", async () => {
  assert.equal((await answer((event) => event + 1, 1, {})).toString(), "2");
  assert.equal((await answer(async (_, context) => context.a, 1, { a: "x" })).toString(), '"x"');
  for (const nothing of [undefined, () => 1, Symbol("x")]) assert.equal((await answer(() => nothing)).toString(), "null");
});

test("what has no JSON form is told in the words of the runtime, and the developer where it is", async () => {
  const circle = {};
  circle.a = [circle];
  for (const [result, where] of [[{ a: [1n] }, "result.a[0] is a bigint"], [circle, "result.a[0] contains itself"]]) {
    const [now, then] = [await errorOf(answer(() => result)), await errorOf(calledBack(async () => result))];
    assert.deepEqual([now.name, then.name], ["Runtime.JSONStringifyError", "Error"]);
    assert.deepEqual([now.told, then.told], ["Unable to stringify response body", "Unable to stringify response body"]);
    assert.ok(now.cause.message.startsWith(where));
  }
  const own = await errorOf(answer(() => ({ toJSON() { throw new RangeError("mine"); } })));
  assert.equal(own.cause.message, "mine");
});

test("a callback is heard once, and waits until nothing is left to be done", async () => {
  assert.equal(await calledBack((event, _, callback) => callback(null, event), 5), 5);
  assert.equal(await calledBack((_, __, callback) => (callback(null, 1), callback(null, 2))), 1);
  assert.equal(await calledBack((_, context) => context.succeed(3)), 3);
  assert.equal(await calledBack((_, context) => context.done(null, 4)), 4);
  assert.equal(await calledBack(async () => 6), 6);
});

test("a callback that waits for nothing is the answer at once", async () => {
  const context = {};
  let empty;
  const handler = (_, given, callback) => {
    given.callbackWaitsForEmptyEventLoop = false;
    callback(null, given.callbackWaitsForEmptyEventLoop);
  };
  const answered = answerOrCallBack(handler, null, context, (what) => (empty = what));
  assert.equal((await answered).toString(), "false");
  assert.equal(empty, undefined);
});

test("the errors of callbacks are the request's", async () => {
  const boom = new Error("boom");
  assert.equal(await errorOf(calledBack((_, __, callback) => callback(boom))), boom);
  assert.equal(await errorOf(calledBack((_, context) => context.fail(boom))), boom);
  assert.equal(await errorOf(calledBack((_, context) => context.fail())), "handled");
  assert.equal(await errorOf(calledBack(() => { throw boom; })), boom);
  assert.equal(await errorOf(calledBack(() => Promise.reject(null))), "handled");
});

test("a handler that calls nobody back has answered nothing, and one whose promise stays open has failed", async () => {
  assert.equal(await calledBack(() => 5), null, "what is returned is no answer");
  let empty;
  const answered = answerOrCallBack(async () => new Promise(() => undefined), null, {}, (what) => (empty = what));
  empty();
  const error = await errorOf(answered);
  assert.equal(error.name, "Runtime.NodeJsExit");
  assert.match(error.told, /^The Lambda runtime client detected an unexpected Node.js exit code/);
  assert.match(error.message, /^the handler's promise never settled/);
});

test("handlers that stream, and from Node 24 on those with callbacks, are refused", () => {
  offerGlobals();
  const streams = awslambda.streamifyResponse(async () => undefined);
  assert.throws(() => check(streams, true), { name: "Runtime.MalformedStreamingHandler" });
  const old = (event, context, callback) => callback();
  assert.throws(() => check(old, false), { name: "Runtime.CallbackHandlerDeprecated" });
  check(old, true);
  check(async () => 1, false);
});

test("what others have given to awslambda stays there", () => {
  globalThis.awslambda = { mine: 1 };
  offerGlobals();
  assert.equal(globalThis.awslambda.mine, 1);
});

test("the context is Lambda's, and halted time does not pass", () => {
  const headers = {
    "lambda-runtime-aws-request-id": "id-1",
    "lambda-runtime-invoked-function-arn": "arn",
    "lambda-runtime-deadline-ms": String(Date.now() + 5000),
    "lambda-runtime-client-context": '{"custom": {"a": 1}}',
    "lambda-runtime-cognito-identity": '{"cognitoIdentityId": "me"}',
  };
  const environment = {
    AWS_LAMBDA_FUNCTION_NAME: "f",
    AWS_LAMBDA_FUNCTION_VERSION: "$LATEST",
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "512",
    AWS_LAMBDA_LOG_GROUP_NAME: "/aws/lambda/f",
    AWS_LAMBDA_LOG_STREAM_NAME: "stream",
  };
  const { getRemainingTimeInMillis, ...context } = contextOf(headers, environment, () => 10_000);
  assert.deepEqual(context, {
    awsRequestId: "id-1",
    clientContext: { custom: { a: 1 } },
    functionName: "f",
    functionVersion: "$LATEST",
    identity: { cognitoIdentityId: "me" },
    invokedFunctionArn: "arn",
    logGroupName: "/aws/lambda/f",
    logStreamName: "stream",
    memoryLimitInMB: "512",
    tenantId: undefined,
  });
  assert.ok(getRemainingTimeInMillis() > 5000 && getRemainingTimeInMillis() <= 15_000);
});

test("a client context that is no JSON fails the request", () => {
  const headers = { "lambda-runtime-client-context": "{" };
  assert.throws(() => contextOf(headers, {}, () => 0), /Cannot parse ClientContext as json: SyntaxError/);
});
