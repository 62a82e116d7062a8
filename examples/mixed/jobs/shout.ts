// A job in TypeScript: `api/call.py` and `server.mjs` start it.
import { setTimeout as sleep } from "node:timers/promises";
import { jobHandler } from "devbridge/job";

interface Shout {
  text: string;
  times: number;
  /** Seconds between them. */
  pause?: number;
}

export const handler = jobHandler("shout", async (payload: Shout, context) => {
  const text = payload.text.toUpperCase();
  for (let i = 1; i <= payload.times; i++) {
    console.log(`${i}: ${text}!`);
    await sleep((payload.pause ?? 0) * 1000, undefined, { signal: context.signal });
  }
  return { text, times: payload.times };
});
