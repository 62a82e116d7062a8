/** Does what the payload says, and tells what it finds. */

import {
  DeleteTableCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
} from "@aws-sdk/client-dynamodb";
import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import {
  DeleteBucketCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { DeleteTopicCommand, PublishCommand, SNSClient } from "@aws-sdk/client-sns";
import {
  CreateQueueCommand,
  DeleteMessageCommand,
  ListQueuesCommand,
  PurgeQueueCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Job, jobHandler, PayloadInvalid, type JobContext } from "devbridge/job";
import {
  Bucket,
  Config,
  fetchSecrets,
  Function as Fn,
  Queue,
  Secret,
  Table,
  Topic,
} from "devbridge/resources";

await fetchSecrets();
const AT_START = Secret.api_token.value;

type Asked = { do: string; [name: string]: any };
type Done = (payload: Asked, context: JobContext) => unknown;

export const handler = jobHandler("probe", async (payload: any, context) => {
  const what = typeof payload === "object" ? payload?.do : undefined;
  return what === undefined ? payload : await does[what](payload, context);
});

const does: Record<string, Done> = {
  async table() {
    const client = new DynamoDBClient();
    const TableName = Table.notes.tableName;
    await client.send(new PutItemCommand({ TableName, Item: { id: { S: "t" }, text: { S: "ö" } } }));
    const { Item } = await client.send(new GetItemCommand({ TableName, Key: { id: { S: "t" } } }));
    return [
      Object.fromEntries(Object.entries(Item!).map(([name, value]) => [name, value.S])),
      await refused(() => client.send(new DeleteTableCommand({ TableName }))),
    ];
  },

  "other-table": (payload) =>
    refused(() =>
      new DynamoDBClient().send(
        new GetItemCommand({ TableName: payload.name, Key: { id: { S: "1" } } }),
      ),
    ),

  async bucket() {
    const s3 = new S3Client();
    const of = { Bucket: Bucket.files.bucketName };
    await s3.send(new PutObjectCommand({ ...of, Key: "a/b", Body: new Uint8Array([0, 255]) }));
    const { Body } = await s3.send(new GetObjectCommand({ ...of, Key: "a/b" }));
    const { Contents } = await s3.send(new ListObjectsV2Command(of));
    return [
      [...(await Body!.transformToByteArray())],
      Contents!.map((found) => found.Key),
      await refused(() => s3.send(new DeleteBucketCommand(of))),
    ];
  },

  async queue() {
    const sqs = new SQSClient();
    const of = { QueueUrl: Queue.work.queueUrl };
    await sqs.send(new SendMessageCommand({ ...of, MessageBody: "to do" }));
    const { Messages } = await sqs.send(new ReceiveMessageCommand({ ...of, WaitTimeSeconds: 5 }));
    const [message] = Messages!;
    await sqs.send(new DeleteMessageCommand({ ...of, ReceiptHandle: message.ReceiptHandle }));
    return [message.Body, await refused(() => sqs.send(new PurgeQueueCommand(of)))];
  },

  async topic() {
    const sns = new SNSClient();
    const of = { TopicArn: Topic.news.topicArn };
    await sns.send(new PublishCommand({ ...of, Message: "read all about it" }));
    return refused(() => sns.send(new DeleteTopicCommand(of)));
  },

  secret() {
    const value = Secret.api_token.value;
    const inside = Object.keys(process.env).filter((name) => process.env[name]!.includes(value));
    return [AT_START, value, inside];
  },

  config: () => Config.greeting.value,

  async function() {
    const answer = await new LambdaClient().send(
      new InvokeCommand({ FunctionName: Fn.echo.functionName, Payload: '{"x": 1}' as any }),
    );
    return JSON.parse(answer.Payload!.transformToString());
  },

  async job() {
    const { jobId } = await Job.second.run({ payload: { id: "from-probe" } });
    return (await Job.second.wait(jobId, { poll: 0.2 })).state;
  },

  async "wrong-payload"() {
    try {
      return (await Job.typed.run({ payload: { lines: [], kind: "slow" } as any })).state;
    } catch (error) {
      if (error instanceof PayloadInvalid) return error.where;
      throw error;
    }
  },

  async permissions() {
    const sqs = new SQSClient();
    return [
      "QueueUrls" in (await sqs.send(new ListQueuesCommand())),
      await refused(() => sqs.send(new CreateQueueCommand({ QueueName: "x" }))),
    ];
  },

  environment() {
    const { COLOUR, EMPTY, DEVBRIDGE_APP } = process.env;
    const developers = ["AWS_ACCESS_KEY_ID", "AWS_PROFILE"].filter((name) => name in process.env);
    return [COLOUR, EMPTY, DEVBRIDGE_APP, developers];
  },

  async who() {
    const { Arn } = await new STSClient().send(new GetCallerIdentityCommand());
    return Arn!.includes("ProbeJobRole");
  },

  copied: () => readFileSync("data/words.txt", "utf8"),

  async installed() {
    const { default: sharp } = await import("sharp");
    const options = { width: 1, height: 2, channels: 3 as const, background: "#f00" };
    const { info } = await sharp({ create: options }).png().toBuffer({ resolveWithObject: true });
    return info.width;
  },

  about(_, context) {
    const remaining = context.getRemainingTimeInMillis();
    return [
      context.jobName,
      context.functionName,
      context.attempt,
      context.maxAttempts,
      Number(context.memoryLimitInMB),
      14 * 60_000 < remaining && remaining <= 15 * 60_000,
      [Number(process.versions.node.split(".")[0])],
    ];
  },

  "request-id": (_, context) => context.awsRequestId,

  output() {
    console.log("to stdout: ü \u2028 end");
    console.error("to stderr");
    spawnSync("echo from a child", { shell: true, stdio: "inherit" });
    process.stdout.write(Buffer.from("not utf-8: \xff, and no newline", "latin1"));
  },

  caused() {
    try {
      find("row 7");
    } catch (reason) {
      throw new LoadError("cannot load", { cause: reason });
    }
  },

  async "task-group"() {
    const ended = await Promise.allSettled([fails()]);
    throw new AggregateError(
      ended.map((each: any) => each.reason),
      "1 task has failed",
    );
  },

  lingers() {
    setTimeout(() => console.log("uploaded"), 1500);
    return "answered";
  },

  big: (payload) => "x".repeat(payload.size),

  size: (payload) => payload.text.length,

  async wait(payload) {
    console.log("waiting");
    writeFileSync(payload.started, "");
    await sleep(600_000);
  },

  error() {
    throw new RangeError("a 'quoted' \"message\" with $HOME, ü, and\na second line");
  },

  leave: (payload) => process.exit(payload.code),

  crash: (payload) => (process as any).reallyExit(payload.code),

  async kill() {
    process.kill(process.pid, "SIGKILL");
    await sleep(600_000);
  },

  "not-json": () => ({ a: [1, Symbol("s")] }),
};

class LoadError extends Error {}

function find(what: string): never {
  throw Object.assign(new RangeError("the real reason"), { code: `NOT_IN_${what}` });
}

async function fails() {
  await sleep(1);
  throw new RangeError("in a task");
}

async function refused(call: () => Promise<unknown>) {
  try {
    await call();
  } catch (error) {
    return (error as Error).name.replace(/Exception$/, "");
  }
  return "allowed";
}
