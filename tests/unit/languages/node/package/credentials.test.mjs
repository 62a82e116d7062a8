import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { credentials, endpoint } from "../../../../../devbridge/languages/node/package/lib/credentials.js";
import { CredentialsError } from "../../../../../devbridge/languages/node/package/lib/errors.js";
import { environment, folder, served } from "./helpers.mjs";

const IN = (ms) => new Date(Date.now() + ms).toISOString();
const document = (id, expires) => ({
  AccessKeyId: id, SecretAccessKey: "s", Token: "t", Expiration: expires,
});

test("keys of the environment come first", async (t) => {
  environment(t, {
    AWS_ACCESS_KEY_ID: "a", AWS_SECRET_ACCESS_KEY: "b", AWS_SESSION_TOKEN: "c",
    AWS_CONTAINER_CREDENTIALS_FULL_URI: "http://127.0.0.1:1/",
  });
  assert.deepEqual(await credentials(), { accessKeyId: "a", secretAccessKey: "b", sessionToken: "c" });
});

test("an endpoint is asked with its token, once for all who wait, and kept", async (t) => {
  const server = await served(t, () => ({ body: document("one", IN(3600_000)) }));
  environment(t, {
    AWS_CONTAINER_CREDENTIALS_FULL_URI: `${server.url}/x`, AWS_CONTAINER_AUTHORIZATION_TOKEN: "tok",
  });
  const found = await Promise.all([credentials(), credentials()]);
  await credentials();
  assert.deepEqual(found.map(({ accessKeyId }) => accessKeyId), ["one", "one"]);
  assert.equal(server.requests.length, 1);
  assert.equal(server.requests[0].headers.authorization, "tok");
});

test("credentials are fetched again before they end, with the token that is in the file then", async (t) => {
  const file = join(folder(t), "token");
  const server = await served(t, (_, count) => {
    writeFileSync(file, `token ${count + 1}\n`);
    return { body: document(`key ${count}`, IN(60_000)) };
  });
  writeFileSync(file, "token 1\n");
  environment(t, {
    AWS_CONTAINER_CREDENTIALS_FULL_URI: server.url, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: file,
  });
  assert.equal((await credentials()).accessKeyId, "key 1");
  assert.equal((await credentials()).accessKeyId, "key 2");
  assert.deepEqual(server.requests.map(({ headers }) => headers.authorization), ["token 1", "token 2"]);
});

test("an endpoint that breaks is no problem as long as there are credentials", async (t) => {
  const server = await served(t, (_, count) =>
    count === 1 ? { body: document("one", IN(60_000)) } : { status: 400, body: { message: "no" } });
  environment(t, { AWS_CONTAINER_CREDENTIALS_FULL_URI: server.url });
  await credentials();
  assert.equal((await credentials()).accessKeyId, "one");
  assert.equal(server.requests.length, 2);
});

test("what the endpoint says is told", async (t) => {
  const server = await served(t, () => ({ status: 403, body: { message: "the session has ended" } }));
  environment(t, { AWS_CONTAINER_CREDENTIALS_FULL_URI: server.url });
  await assert.rejects(credentials(), (error) => {
    assert.ok(error instanceof CredentialsError);
    assert.equal(error.what, "the AWS credentials could not be fetched: HTTP 403 the session has ended");
    assert.equal(error.where, server.url);
    return true;
  });
});

test("a token goes to no foreign host without https", async (t) => {
  for (const host of ["example.com", "127.0.0.1.example.com", "169.254.170.3", "10.0.0.1"]) {
    environment(t, { AWS_CONTAINER_CREDENTIALS_FULL_URI: `http://${host}/x` });
    await assert.rejects(credentials(), {
      what: `the credentials' endpoint http://${host} is neither https nor on this machine`,
    });
  }
});

test("without credentials it is said how to get some", async (t) => {
  environment(t, {});
  await assert.rejects(credentials(), (error) => {
    assert.equal(error.what, "no AWS credentials were found in the environment");
    assert.match(error.remedy, /devbridge bind -- COMMAND/);
    return true;
  });
});

test("a token with a line break is refused", async (t) => {
  environment(t, {
    AWS_CONTAINER_CREDENTIALS_FULL_URI: "http://127.0.0.1:1/", AWS_CONTAINER_AUTHORIZATION_TOKEN: "a\r\nb: c",
  });
  await assert.rejects(credentials(), { what: "the credentials' token has a line break" });
});

test("a relative path is one of ECS's own endpoint, whatever it looks like", (t) => {
  environment(t, { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: "//example.com/x?y" });
  assert.equal(endpoint().href, "http://169.254.170.2/example.com/x?y");
});
