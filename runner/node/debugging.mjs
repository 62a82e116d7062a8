/**
 * V8's inspector for one run: `devbridge dev --debug`. Debuggers do not speak to it but to the
 * daemon, which passes on what they say: see `devbridge/languages/node/debuggers.py`.
 */

import { readFileSync } from "node:fs";
import inspector from "node:inspector";

/** How the lines begin that the inspector itself writes to the standard error. */
const LINES = [
  "Debugger listening on ws://127.0.0.1:",
  "For help, see: https://nodejs.org/",
  "Debugger attached.",
  "Debugger ending on ws://127.0.0.1:",
  "Waiting for the debugger to disconnect...",
];
const { stringify } = JSON; // the user's code may replace it
const now = Date.now;

/**
 * Open the inspector, and return when a debugger is attached and has set its breakpoints, or when
 * none has come in time.
 * @param {import("./runtime_api.mjs").RuntimeClient} client
 */
export async function open(client) {
  const tell = (/** @type {object} */ what) => client.send(client.message("/devbridge/debugger", stringify(what)));
  await tell({ mutes: LINES });
  if (!inspector.url()) {
    inspector.open(0, "127.0.0.1");
    // Node would wait for the debugger to hang up.
    process.on("exit", () => inspector.close());
  }
  const url = inspector.url();
  if (url) await tell({ url });
}

/**
 * Milliseconds for which debuggers have halted this process, until now.
 * @param {string} note the file where the daemon writes that down: how long, and since when.
 */
export function halted(note) {
  try {
    const [total, since] = readFileSync(note, "latin1").split(" ").map(Number);
    return total + (since && now() - since);
  } catch {
    return 0; // it was not halted yet
  }
}
