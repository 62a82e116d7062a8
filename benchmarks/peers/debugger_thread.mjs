import { parentPort, workerData } from "node:worker_threads";

parentPort.on("message", async ({ event, context }) => {
  const { handler } = await import(workerData);
  parentPort.postMessage(await handler(event, context));
});
