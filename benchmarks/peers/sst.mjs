// SST v2's way: a Runtime API by express, in front of a thread for each instance of the Lambda, or,
// in Python, of a process for each request. node sst.mjs PORT [PYTHON]

import { spawn } from "node:child_process";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import express from "express";
import { connect, publish } from "./wire.mjs";

const [port, python] = process.argv.slice(2);
const here = fileURLToPath(new URL(".", import.meta.url));
const workers = new Map();
const waiting = new Map();
const queued = new Map();
const current = new Map();

const app = express();
const runtime = "/:worker/2018-06-01/runtime/invocation";
app.get(`${runtime}/next`, async (request, response) => {
  const { worker } = request.params;
  const { event, context, deadline } =
    queued.get(worker)?.shift() ?? (await new Promise((resolve) => waiting.set(worker, resolve)));
  response.set({
    "Lambda-Runtime-Aws-Request-Id": context.awsRequestId,
    "Lambda-Runtime-Deadline-Ms": Date.now() + deadline,
    "Lambda-Runtime-Invoked-Function-Arn": context.invokedFunctionArn,
    "Lambda-Runtime-Client-Context": "null",
    "Lambda-Runtime-Cognito-Identity": "null",
  });
  response.json(event);
});
const json = express.json({ strict: false, type: () => true, limit: "10mb" });
app.post(`${runtime}/:id/response`, json, (request, response) => {
  const { worker, id } = request.params;
  const data = { workerId: worker, requestId: id, functionId: "hello", body: request.body };
  publish(client, `bench/events/${worker}`, { type: "success", data });
  response.status(202).send();
});
const server = createServer(app);
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const api = `127.0.0.1:${server.address().port}`;

function start(workerId, env) {
  if (python !== undefined) {
    const own = { IS_LOCAL: "true", AWS_LAMBDA_RUNTIME_API: `${api}/${workerId}` };
    const command = ["-u", `${here}sst_process.py`, "handler", here, "handler"];
    const environment = { ...process.env, ...env, ...own };
    const child = spawn(python, command, { env: environment, shell: true, cwd: here });
    child.on("exit", () => ended(workerId));
    child.stdout.pipe(process.stdout);
    child.stderr.pipe(process.stderr);
    return;
  }
  const thread = new Worker(new URL("sst_thread.mjs", import.meta.url), {
    env: { ...env, IS_LOCAL: "true" },
    workerData: { api: `http://${api}/${workerId}`, handler: new URL("handler.mjs", import.meta.url).href },
    stdin: true,
    stdout: true,
    stderr: true,
  });
  thread.on("exit", () => ended(workerId));
}

function ended(workerId) {
  workers.delete(workerId);
  // What came between an answer and the end of its process gets a process, too.
  if (queued.get(workerId)?.length) started(workerId, current.get(workerId));
}

function started(workerId, env) {
  if (workers.has(workerId)) return;
  workers.set(workerId, true);
  current.set(workerId, env);
  start(workerId, env);
}

const client = await connect(port, "bench/events", ({ data }) => {
  const { workerId, functionId, env } = data;
  publish(client, `bench/events/${workerId}`, { type: "ack", data: { workerId, functionId } });
  const next = waiting.get(workerId);
  waiting.delete(workerId);
  if (next !== undefined) next(data);
  else queued.set(workerId, [...(queued.get(workerId) ?? []), data]);
  started(workerId, env);
});
console.log("ready");
