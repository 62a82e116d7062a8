/**
 * A client of the Lambda Runtime API: HTTP/1.1 over one socket, by hand.
 *
 * `node:http` and `fetch` take 20 to 45 ms to load. Bodies are written at once, without the event
 * loop, so that nothing that the user's code does can come between an answer and its being sent;
 * `postNow` does the same where the process is ending and the loop does not turn any more.
 */

import { spawnSync } from "node:child_process";
import { readSync, writeSync } from "node:fs";
import net from "node:net";
import { fileURLToPath } from "node:url";

export const VERSION = "2018-06-01";
/** Connections that are made for one request: a kept one may have died hours ago. */
const CONNECTIONS = 3;
/** Milliseconds that an answer is waited for while the process is ending. */
const PATIENCE = 10_000;
const POST = fileURLToPath(new URL("post.mjs", import.meta.url));
const EMPTY = Buffer.alloc(0);
const { stringify } = JSON; // the user's code may replace it
const now = Date.now;
const connect = net.connect;
const node = process.execPath;
const asleep = new Int32Array(new SharedArrayBuffer(4));
const sleep = (/** @type {number} */ milliseconds) => Atomics.wait(asleep, 0, 0, milliseconds);

/** The Runtime API cannot be reached, or hung up: who started this process has ended. */
export class RuntimeApiGone extends Error {}

/**
 * @typedef {{status: number, headers: Record<string, string>, body: Buffer, close: boolean,
 *   rest: Buffer}} Answer `rest` is what has come after it.
 * @typedef {(chunk: Buffer) => Answer | undefined} Reader
 */

/** The Runtime API at `HOST:PORT` or `HOST:PORT/PREFIX`. One request at a time. */
export class RuntimeClient {
  /** @param {string} address */
  constructor(address) {
    this.address = address;
    const slash = address.indexOf("/");
    /** @private */ this._authority = slash < 0 ? address : address.slice(0, slash);
    /** @private */ this._prefix = slash < 0 ? "" : address.slice(slash);
    const colon = this._authority.lastIndexOf(":");
    /** @private */ this._host = colon < 0 ? this._authority : this._authority.slice(0, colon);
    /** @private */ this._port = colon < 0 ? 80 : Number(this._authority.slice(colon + 1));
    /** @private @type {net.Socket | undefined} */ this._socket = undefined;
    /** @private @type {Promise<net.Socket> | undefined} */ this._opening = undefined;
    /** @private Whether a request is under way on the connection. */ this._busy = false;
    /** @private @type {(() => void) | undefined} */ this._wake = undefined;
    /** @private @type {Buffer[]} */ this._received = [];
    /** @private Has taken what has come of an answer. */ this._reader = reader();
    /** @private @type {Error | undefined} */ this._trouble = undefined;
  }

  /**
   * Be connected. The connection does not keep the process from ending.
   * @throws {RuntimeApiGone} nobody listens there.
   */
  async open() {
    try {
      await this._connected();
    } catch (error) {
      throw this._gone(error);
    }
  }

  /**
   * Wait for an invocation; its headers (lower-case names) and its payload.
   * @param {Buffer} [first] a message that is sent before, in one go: its answer is not waited for.
   * @throws {RuntimeApiGone} the API went away, or refused.
   */
  async next(first) {
    const message = this._message("GET", "/runtime/invocation/next");
    const answer = await this._request(message, first);
    if (answer.status !== 200) {
      const said = answer.body.toString("utf8", 0, 200);
      throw new RuntimeApiGone(`the runtime api answered ${answer.status} to \`next\`: ${said}`);
    }
    return { headers: answer.headers, body: answer.body };
  }

  /**
   * Send what a `message` has; the HTTP status.
   * @param {Buffer} message
   * @throws {RuntimeApiGone} the API went away.
   */
  async send(message) {
    return (await this._request(message)).status;
  }

  /**
   * Ask for what is below the API's version.
   * @param {string} path
   * @throws {RuntimeApiGone} the API went away.
   */
  async get(path) {
    return this._request(this._message("GET", path));
  }

  /**
   * The same as `send` in a process that is ending: returns when it was taken, or cannot be.
   * @param {Buffer} message
   * @param {boolean} begun `send` has been called with it.
   * @returns {boolean} whether it was taken.
   */
  sendNow(message, begun = false) {
    const fd = descriptor(this._socket);
    if (fd !== undefined && this._busy === begun && !this._trouble) {
      try {
        if (!begun) writeAll(fd, message);
        return readNow(fd, this._received, begun ? this._reader : reader()).status < 500;
      } catch {
        // somebody has closed it, or the peer has
      }
    }
    const input = Buffer.concat([Buffer.from(`${this._authority}\n`), message]);
    const done = spawnSync(node, [POST], { input, env: {}, stdio: ["pipe", 2, 2], timeout: PATIENCE });
    return done.status === 0;
  }

  /**
   * A POST of a result, an error or a report.
   * @param {string} path below the API's version.
   * @param {Buffer | string} body
   * @param {string} [errorType]
   */
  message(path, body, errorType) {
    const type = errorType?.replace(/\s+/g, " ").trim().replace(/[^\x20-\x7e]/g, "?");
    const extra = type === undefined ? "" : `Lambda-Runtime-Function-Error-Type: ${type}\r\n`;
    return this._message("POST", path, body, extra);
  }

  /**
   * A POST of an error document.
   * @param {string} path
   * @param {{errorType?: string}} failure
   */
  failure(path, failure) {
    return this.message(path, stringify(failure), failure.errorType);
  }

  /** Hang up. The next request connects again. */
  close() {
    this._socket?.destroy();
    this._socket = undefined;
    this._busy = false;
  }

  /** @private @param {string} method @param {string} path @param {Buffer | string} body */
  _message(method, path, body = EMPTY, extra = "") {
    const data = typeof body === "string" ? Buffer.from(body) : body;
    const length = `Content-Type: application/json\r\nContent-Length: ${data.length}\r\n`;
    const head =
      `${method} ${this._prefix}/${VERSION}${path} HTTP/1.1\r\nHost: ${this._authority}\r\n` +
      `${extra}${method === "POST" ? length : ""}\r\n`;
    return Buffer.concat([Buffer.from(head, "latin1"), data]);
  }

  /** @private @param {Buffer} message @param {Buffer} [first] @returns {Promise<Answer>} */
  async _request(message, first) {
    for (let connections = 0; ; ) {
      let socket;
      try {
        if (!this._isOpen()) connections += 1;
        socket = await this._connected();
      } catch (error) {
        throw this._gone(error);
      }
      try {
        const all = first ? Buffer.concat([first, message]) : message;
        const answer = await this._exchange(socket, all, first ? 2 : 1);
        if (answer) return answer;
        first = undefined; // it was answered by hanging up
      } catch (error) {
        this.close();
        if (connections === CONNECTIONS) throw this._gone(error);
      }
    }
  }

  /**
   * @private @param {net.Socket} socket
   * @param {Buffer} message
   * @param {number} [count] of the requests in it; the last one's answer is returned.
   * @returns {Promise<Answer | undefined>} none: it hung up after an earlier one.
   */
  async _exchange(socket, message, count = 1) {
    this._received = [];
    this._busy = true;
    socket.ref();
    const fd = descriptor(socket);
    if (fd === undefined) socket.write(message);
    else writeAll(fd, message);
    let read = (this._reader = reader());
    for (;;) {
      for (let chunk; (chunk = this._received.shift()) !== undefined; ) {
        const answer = read(chunk);
        if (answer === undefined) continue;
        count -= 1;
        if (count > 0 && !answer.close) {
          read = this._reader = reader();
          if (answer.rest.length) this._received.unshift(answer.rest);
          continue;
        }
        this._busy = false;
        socket.unref();
        if (answer.close) this.close();
        return count ? undefined : answer;
      }
      if (this._trouble) throw this._trouble;
      await new Promise((resolve) => (this._wake = () => resolve(undefined)));
    }
  }

  /** @private */
  _isOpen() {
    return this._socket !== undefined && !this._socket.destroyed && !this._trouble;
  }

  /** @private @returns {Promise<net.Socket>} */
  _connected() {
    if (this._opening && this._isOpen()) return this._opening;
    this.close();
    const socket = connect({ host: this._host, port: this._port, noDelay: true });
    this._socket = socket;
    this._trouble = undefined;
    this._opening = new Promise((resolve, reject) => {
      socket.on("data", (/** @type {Buffer} */ chunk) => {
        this._received.push(chunk);
        this._wake?.();
      });
      socket.on("error", (error) => {
        reject(error);
        if (this._socket === socket) this._trouble = error;
      });
      socket.on("close", () => {
        if (this._socket !== socket) return;
        this._trouble ??= new Error("connection closed by the peer");
        this._wake?.();
      });
      socket.on("connect", () => {
        socket.unref();
        resolve(socket);
      });
    });
    return this._opening;
  }

  /** @private @param {unknown} error */
  _gone(error) {
    this.close();
    const why = error instanceof Error ? error.message : String(error);
    return new RuntimeApiGone(`the runtime api at ${this._authority}: ${why}`);
  }
}

/** @param {net.Socket | undefined} socket @returns {number | undefined} */
function descriptor(socket) {
  // Not documented, and there since the beginning; without it, the event loop writes.
  const handle = /** @type {any} */ (socket)?._handle;
  const waits = socket?.connecting || socket?.destroyed || socket?.writableLength;
  return !waits && handle?.fd >= 0 ? handle.fd : undefined;
}

/** @param {number} fd @param {Buffer} data */
function writeAll(fd, data) {
  for (let sent = 0, pause = 0.05; sent < data.length; ) {
    try {
      sent += writeSync(fd, data, sent);
      pause = 0.05;
    } catch (error) {
      if (!isAgain(error)) throw error;
      sleep((pause = Math.min(pause * 2, 5)));
    }
  }
}

/** @param {number} fd @param {Buffer[]} received @param {Reader} read @returns {Answer} */
function readNow(fd, received, read) {
  for (const chunk of received) {
    const answer = read(chunk);
    if (answer) return answer;
  }
  const buffer = Buffer.alloc(1 << 16);
  for (let pause = 0.05, until = now() + PATIENCE; ; ) {
    try {
      const count = readSync(fd, buffer, 0, buffer.length, null);
      const answer = count ? read(Buffer.from(buffer.subarray(0, count))) : undefined;
      if (answer) return answer;
      if (!count) throw new Error("connection closed by the peer");
    } catch (error) {
      if (!isAgain(error) || now() > until) throw error;
      sleep((pause = Math.min(pause * 2, 5)));
    }
  }
}

/** @param {unknown} error */
function isAgain(error) {
  const code = /** @type {{code?: string}} */ (error).code;
  return code === "EAGAIN" || code === "EWOULDBLOCK";
}

/** A function that takes an answer's bytes as they come, and returns the answer with the last. */
export function reader() {
  const parsing = parse();
  parsing.next();
  return (/** @type {Buffer} */ chunk) => {
    const step = parsing.next(chunk);
    return step.done ? /** @type {Answer} */ (step.value) : undefined;
  };
}

/** @returns {Generator<undefined, Answer, Buffer>} */
function* parse() {
  /** @type {Buffer} */ let buffer = EMPTY;
  /** @returns {Generator<undefined, string, Buffer>} */
  function* line() {
    let end;
    while ((end = buffer.indexOf("\r\n")) < 0) buffer = Buffer.concat([buffer, yield]);
    const text = buffer.toString("latin1", 0, end);
    buffer = buffer.subarray(end + 2);
    return text;
  }
  /** @param {number} size @returns {Generator<undefined, Buffer, Buffer>} */
  function* exactly(size) {
    const parts = [buffer];
    for (let have = buffer.length; have < size; ) {
      const chunk = yield;
      parts.push(chunk);
      have += chunk.length;
    }
    if (parts.length > 1) buffer = Buffer.concat(parts);
    const data = buffer.subarray(0, size);
    buffer = buffer.subarray(size);
    return data;
  }
  const status = Number((yield* line()).split(" ")[1]);
  /** @type {Record<string, string>} */ const headers = {};
  for (let text; (text = yield* line()) !== ""; ) {
    const colon = text.indexOf(":");
    headers[text.slice(0, colon).toLowerCase()] = text.slice(colon + 1).trim();
  }
  /** @type {Buffer} */ let body;
  if (headers["transfer-encoding"]?.toLowerCase() === "chunked") {
    const parts = [];
    for (let size; (size = parseInt(yield* line(), 16)) > 0; ) {
      parts.push((yield* exactly(size + 2)).subarray(0, -2));
    }
    while ((yield* line()) !== "");
    body = Buffer.concat(parts);
  } else {
    body = yield* exactly(Number(headers["content-length"] ?? 0));
  }
  return { status, headers, body, close: headers.connection?.toLowerCase() === "close", rest: buffer };
}
