import assert from "node:assert/strict";
import net from "node:net";
import { test } from "node:test";
import { reader, RuntimeApiGone, RuntimeClient } from "../../../../runner/node/runtime_api.mjs";

const HEAD = "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id:  run-1 \r\n";
const ANSWER = `${HEAD}Content-Length: 2\r\n\r\nok`;

/** A server that answers each request by a function of its text; what it was sent, in order. */
async function serve(answer) {
  const heard = [];
  const sockets = [];
  const server = net.createServer((socket) => {
    sockets.push(socket);
    let text = "";
    socket.on("error", () => undefined);
    socket.on("data", (data) => {
      text += data.toString("latin1");
      const head = text.indexOf("\r\n\r\n");
      const length = Number(/Content-Length: (\d+)/.exec(text)?.[1] ?? 0);
      if (head < 0 || text.length < head + 4 + length) return;
      heard.push(text);
      text = "";
      answer(socket, heard.length);
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  const close = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return { heard, sockets, address: `127.0.0.1:${port}/token`, close };
}

test("an answer may come in any pieces", () => {
  const chunked = `${HEAD}Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n1\r\nd\r\n0\r\n\r\n`;
  const counted = `${HEAD}Content-Length: 4\r\n\r\nabcd`;
  for (const text of [chunked, counted]) {
    for (let size = 1; size <= text.length; size += 1) {
      const read = reader();
      let answer;
      for (let at = 0; at < text.length; at += size) {
        assert.equal(answer, undefined);
        answer = read(Buffer.from(text.slice(at, at + size)));
      }
      assert.equal(answer.status, 200);
      assert.equal(answer.headers["lambda-runtime-aws-request-id"], "run-1");
      assert.equal(answer.body.toString(), "abcd");
    }
  }
});

test("next is asked below the worker's own path", async (t) => {
  const server = await serve((socket) => socket.write(ANSWER));
  t.after(server.close);
  const client = new RuntimeClient(server.address);
  const { headers, body } = await client.next();
  assert.equal(headers["lambda-runtime-aws-request-id"], "run-1");
  assert.equal(body.toString(), "ok");
  assert.match(server.heard[0], /^GET \/token\/2018-06-01\/runtime\/invocation\/next HTTP\/1.1\r\nHost: 127/);
});

test("an error's type is a header that cannot break out", async (t) => {
  const server = await serve((socket) => socket.write("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"));
  t.after(server.close);
  const client = new RuntimeClient(server.address);
  const status = await client.send(client.failure("/runtime/init/error", { errorType: "Bäd\r\nX: y" }));
  assert.equal(status, 202);
  assert.match(server.heard[0], /\r\nLambda-Runtime-Function-Error-Type: B\?d X: y\r\n/);
});

test("the connection is kept, and made anew when the peer has closed it", async (t) => {
  const server = await serve((socket) => socket.write(ANSWER));
  t.after(server.close);
  const client = new RuntimeClient(server.address);
  await client.next();
  await client.next();
  assert.equal(server.sockets.length, 1);
  server.sockets[0].destroy();
  await client.send(client.message("/x", "{}"));
  assert.equal(server.sockets.length, 2);
  assert.equal(server.heard.length, 3);
});

test("a peer that says that it closes is not written to any more", async (t) => {
  const server = await serve((socket) => socket.end(ANSWER.replace("\r\n", "\r\nConnection: close\r\n")));
  t.after(server.close);
  const client = new RuntimeClient(server.address);
  await client.next();
  await client.next();
  assert.equal(server.sockets.length, 2);
});

test("who hangs up on every connection has gone", async (t) => {
  const server = await serve((socket) => socket.destroy());
  t.after(server.close);
  await assert.rejects(new RuntimeClient(server.address).next(), RuntimeApiGone);
  assert.equal(server.heard.length, 3);
});

test("nobody there is said with the address and without the token", async () => {
  const server = await serve(() => undefined);
  server.close();
  const [address] = server.address.split("/");
  await assert.rejects(new RuntimeClient(server.address).open(), (error) => {
    assert.ok(error instanceof RuntimeApiGone);
    assert.ok(error.message.startsWith(`the runtime api at ${address}: `));
    return !error.message.includes("token");
  });
});

/** A server of whole requests in one go: it answers when all of `count` are there. */
async function serveTogether(count, answer) {
  const heard = [];
  let text = "";
  const server = net.createServer((socket) => {
    socket.on("error", () => undefined);
    socket.on("data", (data) => {
      text += data.toString("latin1");
      if (text.split(" HTTP/1.1\r\n").length <= count) return;
      heard.push(text);
      text = "";
      answer(socket, heard.length);
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { heard, address: `127.0.0.1:${server.address().port}/token`, close: () => server.close() };
}

test("what is sent with next goes before it, and its answer is not waited for", async (t) => {
  const taken = "HTTP/1.1 202 Accepted\r\nContent-Length: 3\r\n\r\nyes";
  for (const pieces of [[taken + ANSWER], [taken, ANSWER], [taken.slice(0, 9), taken.slice(9) + ANSWER]]) {
    const server = await serveTogether(2, async (socket) => {
      for (const piece of pieces) {
        socket.write(piece);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    });
    t.after(server.close);
    const client = new RuntimeClient(server.address);
    const { body } = await client.next(client.message("/report", "{}"));
    assert.equal(body.toString(), "ok");
    assert.match(server.heard[0], /^POST \/token\/2018-06-01\/report .*\r\n\r\n\{\}GET .*\/next HTTP/s);
    client.close();
  }
});

test("next is asked again when what was sent before was answered by hanging up", async (t) => {
  const closing = "HTTP/1.1 400 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
  const server = await serveTogether(1, (socket, count) => (count === 1 ? socket.end(closing) : socket.write(ANSWER)));
  t.after(server.close);
  const client = new RuntimeClient(server.address);
  assert.equal((await client.next(client.message("/report", "{}"))).body.toString(), "ok");
  assert.match(server.heard[1], /^GET \/token\/2018-06-01\/runtime\/invocation\/next /);
  client.close();
});

test("what is sent while it is being connected is sent once it is", async (t) => {
  const server = await serve((socket) => socket.write("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"));
  t.after(server.close);
  const client = new RuntimeClient(server.address);
  const open = client.open();
  assert.equal(await client.send(client.message("/report", "{}")), 202);
  await open;
  assert.equal(server.sockets.length, 1);
});

test("a refusal of next is told", async (t) => {
  const server = await serve((socket) => socket.write("HTTP/1.1 403 No\r\nContent-Length: 4\r\n\r\nwhy?"));
  t.after(server.close);
  await assert.rejects(new RuntimeClient(server.address).next(), /answered 403 to `next`: why\?/);
});

test("what is sent while the process ends needs no event loop", async (t) => {
  const code = `
    import net from "node:net"; import { parentPort } from "node:worker_threads";
    const server = net.createServer((socket) => socket.on("data", (data) => {
      parentPort.postMessage(String(data)); socket.write(${JSON.stringify(ANSWER)}); }));
    server.listen(0, "127.0.0.1", () => parentPort.postMessage(server.address().port));`;
  const { Worker } = await import("node:worker_threads");
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`));
  t.after(() => worker.terminate());
  const port = await new Promise((resolve) => worker.once("message", resolve));
  const heard = [];
  worker.on("message", (text) => heard.push(text));
  const client = new RuntimeClient(`127.0.0.1:${port}/token`);
  await client.open();
  const message = client.message("/a", "1");
  assert.equal(client.sendNow(message), true);
  client.close(); // now another process has to send it
  assert.equal(client.sendNow(client.message("/b", "2")), true);
  while (heard.length < 2) await new Promise((resolve) => worker.once("message", resolve));
  assert.match(heard[0], /^POST \/token\/2018-06-01\/a /);
  assert.match(heard[1], /^POST \/token\/2018-06-01\/b .*\r\n\r\n2$/s);
});

test("an answer of which the event loop has taken the head is read to its end without it", async (t) => {
  const code = `
    import net from "node:net"; import { parentPort } from "node:worker_threads";
    const server = net.createServer((socket) => socket.once("data", () => {
      socket.write("HTTP/1.1 202 OK\\r\\nContent-Length: 2\\r\\n\\r\\n");
      parentPort.once("message", () => setTimeout(() => socket.write("{}"), 20)); }));
    server.listen(0, "127.0.0.1", () => parentPort.postMessage(server.address().port));`;
  const { Worker } = await import("node:worker_threads");
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`));
  t.after(() => worker.terminate());
  const port = await new Promise((resolve) => worker.once("message", resolve));
  const client = new RuntimeClient(`127.0.0.1:${port}/token`);
  await client.open();
  const message = client.message("/a", "1");
  let taken = 0;
  client._socket.on("data", (data) => { taken += data.length; });
  client.send(message).catch(() => undefined);
  while (!taken) await new Promise((resolve) => setImmediate(resolve));
  worker.postMessage("the rest");
  const began = Date.now();
  assert.equal(client.sendNow(message, true), true);
  assert.ok(Date.now() < began + 5_000);
  client.close();
});

test("what nobody takes while the process ends is said to be lost", async () => {
  const server = await serve(() => undefined);
  server.close();
  const client = new RuntimeClient(server.address);
  assert.equal(client.sendNow(client.message("/a", "1")), false);
});
