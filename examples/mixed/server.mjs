// A front end's server on this machine: `devbridge bind --local -- node server.mjs`.
import { createServer } from "node:http";
import { Job } from "devbridge/job";

const actions = {
  start: () => Job.shout.run({ payload: { text: "hi", times: 600, pause: 1 } }),
  status: (jobId) => Job.shout.status(jobId),
  cancel: (jobId) => Job.shout.cancel(jobId),
};

const server = createServer(async (request, response) => {
  const [, action, jobId] = request.url.split("/");
  if (!Object.hasOwn(actions, action)) {
    response.writeHead(404).end("try /start, /status/ID or /cancel/ID\n");
    return;
  }
  try {
    const answer = await actions[action](jobId);
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer));
  } catch (error) {
    response.writeHead(502).end(`${error}\n`);
  }
});

server.listen(Number(process.env.PORT ?? 3000), "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${server.address().port}/start`);
});
