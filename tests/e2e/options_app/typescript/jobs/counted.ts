import { jobHandler, type JobContext } from "devbridge/job";

export const handler = jobHandler("counted", async function* (_: null, context: JobContext<number>) {
  const from = context.checkpoint ?? 0;
  if (context.attempt === 3) return { from };
  for (let number = from + 1; number <= from + 3; number++) yield number;
  if (context.attempt === 1) throw new Error("it failed");
  (process as any).reallyExit(9);
  return { from: -1 };
});
