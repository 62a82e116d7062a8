import type { APIGatewayProxyHandlerV2 } from "aws-lambda";
import { Job } from "devbridge/job";

/** Cancels the run, whatever it is doing. */
export const handler: APIGatewayProxyHandlerV2 = async (event) => {
  const { was } = await Job.factorial.cancel(event.pathParameters?.id ?? "");
  return { statusCode: 202, body: JSON.stringify({ was }) };
};
