"""Whose turn it is among a job's runs, of which only so many may run at the same time.

A table of DynamoDB has, by the job and the entry, ``count`` with the number `n` of runs that hold a
turn, ``running#UUID`` of each that does, and ``waiting#MS#UUID`` of each that waits, in the order
in which they were asked for. What changes together is one transaction, so whoever dies between two
steps leaves the table right, and the next one who comes by goes on: turns are handed on by what the
invoker hears, never by a run.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

_COUNT: Final = "count"
_RUNNING: Final = "running#"
_WAITING: Final = "waiting#"
_TRIES: Final = 12
"""How often a transaction is tried that met another one."""
_FIRST_PAUSE: Final = 0.02
_CONDITION: Final = "ConditionalCheckFailed"
_CONFLICT: Final = "TransactionConflict"

Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Holder:
    """A run that holds a turn."""

    uuid: str
    since: float
    """Seconds since the epoch."""
    placed: bool = False
    """It was started."""


class Turns:
    """The turns of one job."""

    def __init__(
        self,
        dynamodb: Callable[[], Any],
        table: str,
        job: str,
        limit: int,
        *,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """
        Args:
            dynamodb: gives botocore's client, when it is needed.
            limit: runs that may run at the same time.
            now: seconds since the epoch.
            sleep: takes seconds.
        """
        self._dynamodb = dynamodb
        self._table = table
        self._job = job
        self._limit = limit
        self._now, self._sleep = now, sleep

    def enter(self, uuid: str, created_at: float) -> list[str]:
        """Get in line, unless the run holds a turn: the runs that have got one by that, this one
        among them or not, and are to be started now.

        Args:
            created_at: when it was asked for, in seconds since the epoch.
        """
        if self._first() is None:
            failed = self._transact([self._one_more(), self._hold(uuid)])
            if failed is None:
                return [uuid]
            if failed[1]:
                return []
        elif self.holds(uuid) is not None:
            return []
        key = self._key(_waiting(uuid, created_at))
        self._dynamodb().put_item(TableName=self._table, Item=key)
        # One may have been given back since, or by somebody who has died then.
        return self.hand_on()

    def holds(self, uuid: str) -> Holder | None:
        """The turn that a run holds."""
        key = self._key(_RUNNING + uuid)
        found = self._dynamodb().get_item(TableName=self._table, Key=key, ConsistentRead=True)
        return _holder(found["Item"]) if found.get("Item") else None

    def holders(self) -> list[Holder]:
        """All runs that hold a turn."""
        return [_holder(item) for item in self._entries(_RUNNING)]

    def placed(self, uuid: str) -> None:
        """A run that has a turn was started."""
        dynamodb = self._dynamodb()
        # Or it has ended meanwhile.
        with contextlib.suppress(dynamodb.exceptions.ConditionalCheckFailedException):
            dynamodb.update_item(
                TableName=self._table,
                Key=self._key(_RUNNING + uuid),
                UpdateExpression="SET placed = :yes",
                ConditionExpression="attribute_exists(entry)",
                ExpressionAttributeValues={":yes": {"BOOL": True}},
            )

    def leave(self, uuid: str, created_at: float) -> bool:
        """Give a run's turn back, and its place in the line; whether it had a turn. Who calls this
        then calls `hand_on`."""
        less: Item = {
            "Update": {
                "TableName": self._table,
                "Key": self._key(_COUNT),
                "UpdateExpression": "SET n = n - :one",
                "ExpressionAttributeValues": {":one": {"N": "1"}},
            }
        }
        failed = self._transact([less, self._delete(_RUNNING + uuid)])
        key = self._key(_waiting(uuid, created_at))
        self._dynamodb().delete_item(TableName=self._table, Key=key)
        return failed is None

    def hand_on(self) -> list[str]:
        """Hand free turns to those who wait, the first in the line first: the runs that have got
        one, and are to be started now."""
        got: list[str] = []
        while (first := self._first()) is not None:
            uuid = first.rpartition("#")[2]
            failed = self._transact([self._one_more(), self._hold(uuid), self._delete(first)])
            if failed is None:
                got.append(uuid)
            elif failed[1]:
                # It holds one, and waits no more.
                self._dynamodb().delete_item(TableName=self._table, Key=self._key(first))
            elif failed[0]:
                break
        return got

    # --- the table ------------------------------------------------------------------------------

    def _transact(self, steps: Sequence[Item]) -> list[bool] | None:
        """Do all or nothing. None: all; else of each step whether its condition has failed."""
        dynamodb, pause = self._dynamodb(), _FIRST_PAUSE
        for left in range(_TRIES, 0, -1):
            try:
                dynamodb.transact_write_items(TransactItems=list(steps))
            except dynamodb.exceptions.TransactionCanceledException as error:
                codes = [each.get("Code") for each in error.response["CancellationReasons"]]
                failed = [code == _CONDITION for code in codes]
                if any(failed):
                    return failed
                if left == 1 or _CONFLICT not in codes:
                    raise
            except dynamodb.exceptions.TransactionInProgressException:
                if left == 1:
                    raise
            else:
                return None
            self._sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311
            pause *= 1.5
        raise AssertionError  # unreachable

    def _entries(self, beginning: str, limit: int | None = None) -> Iterator[Item]:
        asked: Item = {
            "TableName": self._table,
            "ConsistentRead": True,
            "KeyConditionExpression": "#job = :job AND begins_with(#entry, :beginning)",
            "ExpressionAttributeNames": {"#job": "job", "#entry": "entry"},
            "ExpressionAttributeValues": {
                ":job": {"S": self._job},
                ":beginning": {"S": beginning},
            },
            **({"Limit": limit} if limit else {}),
        }
        while True:
            page = self._dynamodb().query(**asked)
            yield from page["Items"]
            if not page.get("LastEvaluatedKey") or limit:
                return
            asked["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def _first(self) -> str | None:
        found = next(iter(self._entries(_WAITING, 1)), None)
        return None if found is None else str(found["entry"]["S"])

    def _key(self, entry: str) -> Item:
        return {"job": {"S": self._job}, "entry": {"S": entry}}

    def _one_more(self) -> Item:
        return {
            "Update": {
                "TableName": self._table,
                "Key": self._key(_COUNT),
                "UpdateExpression": "SET n = if_not_exists(n, :none) + :one",
                "ConditionExpression": "attribute_not_exists(n) OR n < :limit",
                "ExpressionAttributeValues": {
                    ":none": {"N": "0"},
                    ":one": {"N": "1"},
                    ":limit": {"N": str(self._limit)},
                },
            }
        }

    def _hold(self, uuid: str) -> Item:
        return {
            "Put": {
                "TableName": self._table,
                "Item": {**self._key(_RUNNING + uuid), "since": {"N": f"{self._now():.3f}"}},
                "ConditionExpression": "attribute_not_exists(entry)",
            }
        }

    def _delete(self, entry: str) -> Item:
        return {
            "Delete": {
                "TableName": self._table,
                "Key": self._key(entry),
                "ConditionExpression": "attribute_exists(entry)",
            }
        }


def _waiting(uuid: str, created_at: float) -> str:
    return f"{_WAITING}{int(created_at * 1000):013d}#{uuid}"


def _holder(item: Item) -> Holder:
    uuid, since = str(item["entry"]["S"]).removeprefix(_RUNNING), float(item["since"]["N"])
    return Holder(uuid, since, "placed" in item)
