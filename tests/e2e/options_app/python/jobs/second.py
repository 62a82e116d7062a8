import boto3

from devbridge.resources import Table


def handler(payload, context):
    table = boto3.resource("dynamodb").Table(Table.notes.table_name)
    table.put_item(Item={"id": payload["id"], "by": context.job_name})
