"""GET /totals/{country}: the country's monthly totals."""

from typing import Any

import boto3
from api.http import answer
from boto3.dynamodb.conditions import Key

from devbridge.resources import Table


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    table = boto3.resource("dynamodb").Table(Table.totals.table_name)
    country = event["pathParameters"]["country"]
    rows = table.query(KeyConditionExpression=Key("country").eq(country))["Items"]
    return answer(
        200,
        [{"month": row["month"], "orders": row["orders"], "euros": row["euros"]} for row in rows],
    )
