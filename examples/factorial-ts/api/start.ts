import type { APIGatewayProxyEventV2, APIGatewayProxyHandlerV2 } from "aws-lambda";
import { Job } from "devbridge/job";

/** Starts the job and answers at once. Save this file, and the next request has the new code. */
export const handler: APIGatewayProxyHandlerV2 = async (event) => {
  const num = requestedNum(event);
  if (!Number.isInteger(num)) {
    const error = 'num must be a whole number: send {"num": 5}, or ?num=5';
    return { statusCode: 400, body: JSON.stringify({ error }) };
  }
  const { jobId } = await Job.factorial.run({ payload: { num } });
  return { statusCode: 202, body: JSON.stringify({ jobId }) };
};

/** `num` of the query string, or of the JSON body, or 100; NaN if it is no number. */
function requestedNum({ body = "{}", isBase64Encoded, queryStringParameters }: APIGatewayProxyEventV2): number {
  const text = isBase64Encoded ? Buffer.from(body, "base64").toString() : body;
  try {
    const { num = 100 } = { ...JSON.parse(text), ...queryStringParameters };
    return Number(num);
  } catch {
    return NaN; // the body is no JSON
  }
}
