"""The orders in the table: written by the API, read and finished by the job."""

from typing import Any, NotRequired, TypedDict, cast

import boto3

from devbridge.resources import Table


class Order(TypedDict):
    id: str
    owner: str
    """Whose order it is: nobody else sees it."""
    keys: list[str]
    email: str
    state: str
    """``ordered`` or ``packed``."""
    zip: NotRequired[str]
    """Its key in the bucket."""
    missing: NotRequired[list[str]]
    """The keys that were not there."""


def read(order_id: str) -> Order | None:
    return cast("Order | None", _table().get_item(Key={"id": order_id}).get("Item"))


def add(order: Order) -> None:
    """Write an order, unless it is there."""
    table = _table()
    try:
        table.put_item(Item={**order}, ConditionExpression="attribute_not_exists(id)")
    except table.meta.client.exceptions.ConditionalCheckFailedException:
        print(f"order {order['id']} is there already")


def finish(order_id: str, packed: str, missing: list[str]) -> None:
    _table().update_item(
        Key={"id": order_id},
        UpdateExpression="SET #state = :state, #zip = :zip, #missing = :missing",
        ExpressionAttributeNames={"#state": "state", "#zip": "zip", "#missing": "missing"},
        ExpressionAttributeValues={":state": "packed", ":zip": packed, ":missing": missing},
    )


def _table() -> Any:
    return boto3.resource("dynamodb").Table(Table.orders.table_name)
