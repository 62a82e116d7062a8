import type { APIGatewayProxyHandlerV2 } from "aws-lambda";
import { Job } from "devbridge/job";

/** How the run is, and its result once it has one. */
export const handler: APIGatewayProxyHandlerV2 = async (event) => {
  const jobId = event.pathParameters?.id ?? "";
  const { state, errorMessage } = await Job.factorial.status(jobId);
  const result = state === "SUCCEEDED" ? await Job.factorial.result(jobId) : undefined;
  return { statusCode: 200, body: JSON.stringify({ state, result, error: errorMessage }) };
};
