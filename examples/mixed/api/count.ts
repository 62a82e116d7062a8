// In TypeScript: starts the job in Python, whose payload's type it knows.
import type { APIGatewayProxyHandlerV2 } from "aws-lambda";
import { Job } from "devbridge/job";

export const handler: APIGatewayProxyHandlerV2 = async ({ body = "", isBase64Encoded }) => {
  const text = isBase64Encoded ? Buffer.from(body, "base64").toString() : body;
  const { jobId } = await Job.words.run({ payload: { text, at_most: 2 } });
  return { statusCode: 202, body: JSON.stringify({ jobId }) };
};
