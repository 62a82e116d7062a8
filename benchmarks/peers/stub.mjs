// Their stub: publishes the event with the context and the whole environment, and waits for what
// comes for its worker. Asked like benchmarks/stub.py: node stub.mjs PORT WORKERS

import { randomBytes, randomUUID } from "node:crypto";
import { createInterface } from "node:readline";
import { connect, publish } from "./wire.mjs";

const [port, count] = process.argv.slice(2);
const event = { version: "2.0", rawPath: "/hello", headers: { accept: "*/*" }, body: "{}" };
const workers = Array.from({ length: Number(count) }, () => randomBytes(16).toString("hex"));
const waiting = new Map();

const client = await connect(
  port,
  workers.map((worker) => `bench/events/${worker}`),
  ({ type, data }) => {
    if (type === "error") throw new Error(JSON.stringify(data));
    if (type === "success") waiting.get(data.workerId)(data.body);
  },
);

function call(workerId) {
  return new Promise((resolve) => {
    waiting.set(workerId, resolve);
    const context = { awsRequestId: randomUUID(), functionName: "hello", invokedFunctionArn: "arn" };
    const data = { workerId, requestId: context.awsRequestId, functionId: "hello", deadline: 30000 };
    const env = process.env;
    publish(client, "bench/events", { type: "invoke", data: { ...data, event, context, env } });
  });
}

async function calls(all, atOnce) {
  let left = Number(all);
  const one = async (worker) => {
    while (left > 0) {
      left -= 1;
      await call(worker);
    }
  };
  await Promise.all(workers.slice(0, Number(atOnce)).map(one));
}

console.log("ready");
for await (const line of createInterface({ input: process.stdin })) {
  const [what, ...rest] = line.split(" ");
  const began = process.hrtime.bigint();
  const value = await (what === "call" ? call(workers[0]) : calls(...rest));
  const took = Number(process.hrtime.bigint() - began) / 1e9;
  console.log(JSON.stringify({ took, ended: Date.now() * 1e6, value }));
}
