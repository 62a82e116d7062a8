import assert from "node:assert/strict";
import { test } from "node:test";

import { endpoint, region } from "../../../../../devbridge/languages/node/package/lib/aws.js";
import { Api, Bucket, Config, Function, NotFound, Queue, Secret, Table, Topic, UserPool } from "../../../../../devbridge/languages/node/package/resources.js";
import { environment } from "./helpers.mjs";

test("what is bound is read by name, with '-' or '_'", (t) => {
  environment(t, {
    DEVBRIDGE_Table_tableName_my_notes: "t",
    DEVBRIDGE_Bucket_bucketName_b: "b",
    DEVBRIDGE_Queue_queueUrl_q: "q",
    DEVBRIDGE_Topic_topicArn_n: "n",
    DEVBRIDGE_Config_value_level: "",
    DEVBRIDGE_Function_functionName_f: "f",
    DEVBRIDGE_Api_url_api: "https://x",
    DEVBRIDGE_UserPool_userPoolId_users: "pool",
    DEVBRIDGE_UserPool_clientId_users: "client",
    DEVBRIDGE_UserPool_issuer_users: "https://issuer",
    DEVBRIDGE_Secret_parameterName_key: "/p",
  });
  const found = [
    Table.my_notes.tableName, Table["my-notes"].tableName, Bucket.b.bucketName, Queue.q.queueUrl,
    Topic.n.topicArn, Config.level.value, Function.f.functionName, Api.api.url,
  ];
  assert.deepEqual(found, ["t", "t", "b", "q", "n", "", "f", "https://x"]);
  const { userPoolId, clientId, issuer } = UserPool.users;
  assert.deepEqual([userPoolId, clientId, issuer], ["pool", "client", "https://issuer"]);
  assert.equal(JSON.stringify(Table), '{"my_notes":{"tableName":"t"}}');
  assert.equal(JSON.stringify(Secret), '{"key":{}}');
});

test("what is not bound is said when it is read", (t) => {
  environment(t, { DEVBRIDGE_Table_tableName_notes: "t" });
  assert.throws(() => Table.note.tableName, (error) => {
    assert.ok(error instanceof NotFound);
    assert.equal(error.what, "Table 'note' is not bound here");
    assert.equal(error.where, "environment variable DEVBRIDGE_Table_tableName_note");
    assert.equal(error.remedy, "add it to `bind` in app.py; bound are: notes");
    return true;
  });
});

test("one that is bound and was written another way is named", (t) => {
  environment(t, { DEVBRIDGE_Table_tableName_my_notes: "t" });
  assert.throws(() => Table.myNotes.tableName, { remedy: "write Table.my_notes" });
});

test("services are asked where the environment says, else where AWS has them", (t) => {
  environment(t, { AWS_DEFAULT_REGION: "cn-north-1" });
  assert.equal(region(), "cn-north-1");
  assert.equal(endpoint("lambda", "cn-north-1"), "https://lambda.cn-north-1.amazonaws.com.cn");
  assert.equal(endpoint("ssm", "eu-west-1"), "https://ssm.eu-west-1.amazonaws.com");
  process.env.AWS_ENDPOINT_URL = "http://127.0.0.1:4566/";
  process.env.AWS_ENDPOINT_URL_SSM = "http://127.0.0.1:1";
  assert.equal(endpoint("lambda", "eu-west-1"), "http://127.0.0.1:4566");
  assert.equal(endpoint("ssm", "eu-west-1"), "http://127.0.0.1:1");
  process.env.AWS_IGNORE_CONFIGURED_ENDPOINT_URLS = "true";
  assert.equal(endpoint("ssm", "eu-west-1"), "https://ssm.eu-west-1.amazonaws.com");
});

test("an environment without a region is said", (t) => {
  environment(t, {});
  assert.throws(region, { name: "CloudError", what: "the environment names no AWS region" });
});
