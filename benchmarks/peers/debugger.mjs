// lambda-live-debugger's way (2.x): a thread for each instance of the Lambda; that somebody is here
// is published, and acknowledged by the broker, before the handler is called. node debugger.mjs PORT

import { access } from "node:fs/promises";
import { Worker } from "node:worker_threads";
import { connect, publish } from "./wire.mjs";

const artifact = new URL("handler.mjs", import.meta.url);
const threads = new Map();

function threadOf(workerId, env) {
  let thread = threads.get(workerId);
  if (thread === undefined) {
    thread = new Worker(new URL("debugger_thread.mjs", import.meta.url), {
      env: { ...env, IS_LOCAL: "true" },
      workerData: artifact.href,
      stdin: true,
      stdout: true,
      stderr: true,
    });
    thread.on("message", (message) => thread.answered(message));
    threads.set(workerId, thread);
  }
  return thread;
}

const client = await connect(process.argv[2], "bench/events", async ({ data }) => {
  const { workerId, requestId, functionId, env, event, context } = data;
  const own = { workerId, requestId, functionId };
  const topic = `bench/events/${workerId}`;
  await publish(client, topic, { type: "ping", data: own });
  console.log(`[Function ${functionId}] Request: ${JSON.stringify(data).slice(0, 100)}...`);
  await access(artifact);
  const body = await new Promise((resolve) => {
    const thread = threadOf(workerId, env);
    thread.answered = resolve;
    thread.postMessage({ env, event, context });
  });
  console.log(`[Function ${functionId}] Response: ${JSON.stringify(body).slice(0, 100)}`);
  await publish(client, topic, { type: "success", data: { ...own, body } });
});
console.log("ready");
