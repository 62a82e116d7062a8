/**
 * Notices that the app's code looks up a variable which the developer's shell has and the job does
 * not get, and tells devbridge's daemon: see `runner/lookups.py`.
 */

import { isUsersCode } from "./frames.mjs";
import { RuntimeClient } from "./runtime_api.mjs";

/** The environment variable with their names. It is taken away before the handler is imported. */
const WITHHELD = "DEVBRIDGE_WITHHELD";

/**
 * Notice look-ups from now on, in this process.
 * @param {string} address the Runtime API's.
 * @param {import("./frames.mjs").Place} place
 */
export function watchLookups(address, place) {
  const names = new Set((process.env[WITHHELD] ?? "").split(" ").filter(Boolean));
  delete process.env[WITHHELD];
  if (names.size === 0) return;
  process.env = new Proxy(process.env, {
    get(target, name) {
      const value = Reflect.get(target, name);
      if (value === undefined && typeof name === "string" && names.has(name) && isUsersCode(new Error(), place)) {
        names.delete(name);
        tell(address, name);
      }
      return value;
    },
    // The target has its own rules on what may be set, for which it must be the receiver.
    set: (target, name, value) => Reflect.set(target, name, value),
  });
}

/** @param {string} address @param {string} name */
function tell(address, name) {
  const client = new RuntimeClient(address);
  client
    .send(client.message("/devbridge/lookup", JSON.stringify(name)))
    .catch(() => undefined)
    .finally(() => client.close());
}
