"""Changes a row of a table, for what hears of it."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Mapping
from typing import Any, Final

from devbridge.constructs import OnTable
from devbridge.errors import PayloadError
from devbridge.messages.samples import Sample, item
from devbridge.messages.sending import Sender, Sent

_CHANGED: Final = "changedBy"
"""What is changed of a row that has nothing but its keys."""
_NOTES: Final = {
    "INSERT": "it stays there",
    "MODIFY": "it stays there; where it was not, it was put there before",
    "REMOVE": "where it was not, it was put there before",
}


def table(sender: Sender, sample: Sample) -> Sent:
    """Put, change or delete a row.

    Raises:
        PayloadError: a row that is to be put is there; the change is none; or a key is no key.
    """
    trigger, told = sample.trigger, sample.content.value
    assert isinstance(trigger, OnTable)  # noqa: S101
    name, dynamodb = sender.of(trigger.table), sender.cloud.client("dynamodb")
    known = {**told["old"], **told["new"], **told["keys"]}
    keys = {
        key: _key(trigger, key, kind, known[key]) if key in known else _fresh(kind, sample.number)
        for key, kind in _keys(dynamodb, name)
    }
    new, old = ({**told[each], **keys} for each in ("new", "old"))
    row, note = _Row(dynamodb, name, keys), _NOTES[told["event"]]
    match told["event"]:
        case "INSERT":
            if not row.put(new):
                raise _refused(trigger, f"{name} has a row {row}", "--set event=MODIFY")
        case "MODIFY":
            row.put(old)
            changes = {key: each for key, each in new.items() if key not in keys}
            if not changes:
                note += f"; its attribute {_CHANGED} was set: --set new.KEY=VALUE changes another"
            if not row.change(changes or {_CHANGED: sample.number}):
                raise _refused(trigger, f"row {row} of {name} is so already", "--set new.KEY=VALUE")
        case _:
            row.put(old if told["old"] else new)
            row.delete()
    to = (f"table {trigger.table.name}", name)
    # The id of the change, which DynamoDB does not tell us, is in the run's key.
    return sender.sent(sample, "row", to, str(row), sure=False, note=note)


class _Row:
    """One row of a table.

    Args:
        dynamodb: botocore's client.
    """

    def __init__(self, dynamodb: Any, table: str, keys: Mapping[str, Any]) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._keys = keys

    def __str__(self) -> str:
        return json.dumps(self._keys, ensure_ascii=False, default=_shown)

    def put(self, row: Mapping[str, Any]) -> bool:
        """Put it, unless it is there; whether it was not."""
        with contextlib.suppress(self._dynamodb.exceptions.ConditionalCheckFailedException):
            self._dynamodb.put_item(
                TableName=self._table,
                Item=item(row),
                ConditionExpression="attribute_not_exists(#key)",
                ExpressionAttributeNames={"#key": next(iter(self._keys))},
            )
            return True
        return False

    def change(self, changes: Mapping[str, Any]) -> bool:
        """Set some of its attributes; whether one was another."""
        wanted = item(changes)
        was = self._dynamodb.update_item(
            TableName=self._table,
            Key=item(self._keys),
            UpdateExpression="SET " + ", ".join(f"#{i} = :{i}" for i in range(len(wanted))),
            ExpressionAttributeNames={f"#{i}": name for i, name in enumerate(wanted)},
            ExpressionAttributeValues={f":{i}": each for i, each in enumerate(wanted.values())},
            ReturnValues="UPDATED_OLD",
        )
        return bool((was.get("Attributes") or {}) != wanted)

    def delete(self) -> None:
        """Delete it."""
        self._dynamodb.delete_item(TableName=self._table, Key=item(self._keys))


def _keys(dynamodb: Any, name: str) -> list[tuple[str, str]]:
    """The names of a table's keys, and their types: ``S``, ``N``, ``B``."""
    found = dynamodb.describe_table(TableName=name)["Table"]
    types = {each["AttributeName"]: each["AttributeType"] for each in found["AttributeDefinitions"]}
    return [(each["AttributeName"], types[each["AttributeName"]]) for each in found["KeySchema"]]


def _fresh(kind: str, number: str) -> Any:
    """A key that no other row has."""
    if kind == "B":
        return number.encode()
    return number if kind == "S" else int(number.replace("-", "")[:12], 16)


def _key(trigger: OnTable, name: str, kind: str, given: Any) -> Any:
    """A key that was given: of a binary one its base64."""
    if kind != "B":
        return given
    try:
        return base64.b64decode(given, validate=True)
    except (ValueError, TypeError):
        raise PayloadError(
            f"{name} {given!r} cannot be a key of {trigger.table}",
            where=f"{trigger}: the key is binary",
            remedy="give it in base64, or leave it out, for a new one each time",
        ) from None


def _shown(binary: bytes) -> str:
    return base64.b64encode(binary).decode()


def _refused(trigger: OnTable, what: str, better: str) -> PayloadError:
    return PayloadError(
        f"{trigger} would hear of nothing: {what}",
        where="a table tells of what changes",
        remedy=f"change it: {better}; or leave the key out, for a new one each time",
    )
