import { spawnSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import type { JobContext } from "devbridge/job";

export const handler = async (payload: string, context: JobContext) => {
  if (payload === "remaining") return context.getRemainingTimeInMillis();
  console.log("going on for too long");
  if (payload === "with a child") {
    spawnSync(process.execPath, ["-e", "setTimeout(() => {}, 600_000)"]);
  }
  await sleep(600_000);
};
