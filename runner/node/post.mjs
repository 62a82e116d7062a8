/**
 * Sends one HTTP message for a process that is ending and has no connection to send it on.
 * Its standard input is `HOST:PORT`, a newline, and the message. Exit code 0: it was answered.
 */

import { readFileSync } from "node:fs";
import net from "node:net";

const input = readFileSync(0);
const end = input.indexOf("\n");
const [, host, port] = /** @type {RegExpExecArray} */ (/^(.*?)(?::(\d+))?$/.exec(input.toString("latin1", 0, end)));
const socket = net.connect({ host, port: Number(port ?? 80), noDelay: true }, () => {
  socket.write(input.subarray(end + 1));
});
socket.once("data", () => process.exit(0));
socket.on("error", () => process.exit(1));
socket.on("close", () => process.exit(1));
