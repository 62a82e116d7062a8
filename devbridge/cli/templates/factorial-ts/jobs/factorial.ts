import { DynamoDBClient, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { jobHandler } from "devbridge/job";
import { Table } from "devbridge/resources";

declare module "devbridge/job" {
  export interface JobTypes {
    factorial: {
      num: number;
    };
  }
}

const dynamodb = new DynamoDBClient();

export const handler = jobHandler("factorial", async (payload) => {
  const { num } = payload;
  if (!Number.isInteger(num) || num < 0 || num > 1000) {
    throw new RangeError(`num must be a whole number from 0 to 1000, not ${num}`);
  }
  console.log(`computing ${num}!`);
  // A bigint: from 23! on, a number would not have all digits.
  let result = 1n;
  for (let i = 2n; i <= num; i++) {
    result *= i;
    if (i % 10n === 0n) console.log(`${i}! has ${String(result).length} digits`);
  }
  await dynamodb.send(
    new PutItemCommand({
      TableName: Table.notes.tableName,
      Item: { id: { S: `${num}!` }, value: { S: String(result) } },
    }),
  );
  console.log(`wrote ${num}! to the table`);
  return String(result);
});
