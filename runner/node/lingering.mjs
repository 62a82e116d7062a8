/** Tells what keeps a process from ending, once the run has been answered: `runner/lingering.py`. */

import { RuntimeClient } from "./runtime_api.mjs";

/** Milliseconds after which a worker that has answered, and is still there, says why. */
const NOTICE = 500;
const later = setTimeout;

/** Tell the Runtime API at `address`, should this process still be there then. @param {string} address */
export function watch(address) {
  later(() => {
    const client = new RuntimeClient(address);
    client
      .send(client.message("/devbridge/lingering", JSON.stringify(left())))
      .catch(() => undefined)
      .finally(() => client.close());
  }, NOTICE).unref();
}

/** @type {Record<string, [one: string, more: string]>} */
const KINDS = {
  Timeout: ["its timer", "timers"],
  Immediate: ["its setImmediate", "immediates"],
  TCPSocketWrap: ["its connection", "connections"],
  TCPServerWrap: ["its server", "servers"],
  PipeWrap: ["its pipe", "pipes"],
  PipeConnectWrap: ["its pipe", "pipes"],
  ProcessWrap: ["its child process", "child processes"],
  MessagePort: ["its worker thread", "worker threads"],
  Worker: ["its worker thread", "worker threads"],
  FSEventWrap: ["what it watches for changes", "watched files"],
  UDPWrap: ["its UDP socket", "UDP sockets"],
  TLSWrap: ["its connection", "connections"],
  FSReqCallback: ["what it does with files", "operations on files"],
  FSReqPromise: ["what it does with files", "operations on files"],
  GetAddrInfoReqWrap: ["its look-up of a name", "look-ups of names"],
};

/** What Node waits for before it ends, by name. @returns {string[]} */
export function left() {
  /** @type {Map<string, number>} */ const counts = new Map();
  for (const kind of process.getActiveResourcesInfo()) {
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  const found = [];
  // Documented as deprecated, and the only one that knows names; without it, kinds are told.
  for (const handle of /** @type {any} */ (process)._getActiveHandles?.() ?? []) {
    const name = nameOf(handle, counts);
    if (name) found.push(name);
  }
  for (const [kind, count] of counts) {
    if (count < 1 || kind === "TTYWrap" || kind === "SignalWrap") continue;
    const [one, more] = KINDS[kind] ?? [`its ${kind}`, `of ${kind}`];
    found.push(count > 1 ? `its ${count} ${more}` : one);
  }
  return found.length > 0 ? found : ["what it does when it ends"];
}

/**
 * How a handle is told, if more than its kind is known; it is then none of the kinds' any more.
 * @param {any} handle
 * @param {Map<string, number>} counts
 */
function nameOf(handle, counts) {
  const without = (/** @type {string} */ kind) => counts.set(kind, (counts.get(kind) ?? 0) - 1);
  if (handle?.spawnfile && handle.pid) {
    without("ProcessWrap");
    const name = String(handle.spawnfile).replace(/^.*\//, "");
    return `its process '${name}' (PID ${handle.pid})`;
  }
  if (handle?.remotePort) {
    without(handle.encrypted ? "TLSWrap" : "TCPSocketWrap");
    return `its connection to ${handle.remoteAddress}:${handle.remotePort}`;
  }
  if (typeof handle?.address === "function" && handle.listening) {
    const address = handle.address();
    const socket = typeof address === "string";
    without(socket ? "PipeServerWrap" : "TCPServerWrap");
    return `its server on ${socket ? address : `port ${address?.port}`}`;
  }
  const child = handle?._handle?.constructor?.name === "Pipe"; // its own output, or a child's
  if (child || handle === process.stdout || handle === process.stderr) without("PipeWrap");
  return "";
}
