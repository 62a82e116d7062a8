import { DynamoDBClient, PutItemCommand } from "@aws-sdk/client-dynamodb";
import type { JobContext } from "devbridge/job";
import { Table } from "devbridge/resources";

export const handler = async (payload: { id: string }, context: JobContext) => {
  await new DynamoDBClient().send(
    new PutItemCommand({
      TableName: Table.notes.tableName,
      Item: { id: { S: payload.id }, by: { S: context.jobName } },
    }),
  );
};
