import assert from "node:assert/strict";
import { test } from "node:test";
import { triggered, variables } from "../../../../runner/node/triggered.mjs";

const body = Buffer.from(
  '{"devbridge:trigger":{"kind":"queue","name":"orders"},"payload":{"num":5},"event":{"messageId":"m"}}',
);

test("what a trigger has made is taken apart", () => {
  const found = triggered(body);
  assert.deepEqual(JSON.parse(String(found?.payload)), { num: 5 });
  assert.deepEqual(found?.trigger, { kind: "queue", name: "orders" });
  assert.deepEqual(found?.event, { messageId: "m" });
});

test("any other payload is what it is", () => {
  for (const text of ["", "null", '{"num":5}', '{"devbridge:trigger":{}}']) {
    assert.equal(triggered(Buffer.from(text)), undefined);
  }
});

test("the environment says what it holds", () => {
  const attempts = { DEVBRIDGE_ATTEMPT: "2", DEVBRIDGE_MAX_ATTEMPTS: "3" };
  assert.deepEqual(variables({ attempt: 2, maxAttempts: 3, event: undefined }), attempts);
  const small = variables({ attempt: 2, maxAttempts: 3, event: { a: 1 } });
  assert.deepEqual(small, { ...attempts, DEVBRIDGE_EVENT: '{"a":1}' });
  assert.deepEqual(variables({ attempt: 2, maxAttempts: 3, event: "x".repeat(1 << 17) }), attempts);
});
