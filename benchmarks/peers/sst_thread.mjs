import http from "node:http";
import { workerData } from "node:worker_threads";

const { handler } = await import(workerData.handler);

function fetched(method, path, body) {
  return new Promise((resolve, reject) => {
    const url = `${workerData.api}/2018-06-01/runtime/invocation${path}`;
    const headers = body === undefined ? {} : { "Content-Type": "application/json" };
    const request = http.request(url, { method, headers }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk) => (text += chunk));
      response.on("end", () => resolve({ headers: response.headers, text }));
    });
    request.on("error", reject);
    request.end(body);
  });
}

for (;;) {
  const { headers, text } = await fetched("GET", "/next");
  const id = headers["lambda-runtime-aws-request-id"];
  const answer = await handler(JSON.parse(text), { awsRequestId: id });
  await fetched("POST", `/${id}/response`, JSON.stringify(answer));
}
