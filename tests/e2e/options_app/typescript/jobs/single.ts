import { DynamoDBClient, GetItemCommand, UpdateItemCommand } from "@aws-sdk/client-dynamodb";
import { setTimeout as sleep } from "node:timers/promises";
import { Table } from "devbridge/resources";

const client = new DynamoDBClient();

export const handler = async (payload: { id: string; who: string }) => {
  const of = { TableName: Table.notes.tableName, Key: { id: { S: payload.id } } };

  async function running(step: number) {
    await client.send(
      new UpdateItemCommand({
        ...of,
        UpdateExpression:
          "ADD running :s SET seen = list_append(if_not_exists(seen, :none), :who)",
        ExpressionAttributeValues: {
          ":s": { N: String(step) },
          ":none": { L: [] },
          ":who": { L: [{ S: payload.who }] },
        },
      }),
    );
    return Number((await client.send(new GetItemCommand(of))).Item?.running.N);
  }

  const most = await running(1);
  await sleep(500);
  await running(-1);
  return most;
};
