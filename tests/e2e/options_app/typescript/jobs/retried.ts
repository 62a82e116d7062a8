import type { JobContext } from "devbridge/job";

export const handler = async (payload: { succeeds: number; by: string }, context: JobContext) => {
  console.log(`attempt ${context.attempt} of ${context.maxAttempts}`);
  if (context.attempt < payload.succeeds) {
    if (payload.by === "raise") throw new Error(`no luck in attempt ${context.attempt}`);
    (process as any).reallyExit(9);
  }
  return context.attempt;
};
