"""Rows of a DynamoDB table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final

from devbridge.constructs.app import Construct
from devbridge.constructs.code import Code
from devbridge.constructs.event_patterns import LAMBDA, Rules
from devbridge.constructs.storage import Table
from devbridge.constructs.triggers.streaming import Streamed
from devbridge.sources.base import Problem

WHERE: Final = ("INSERT", "MODIFY", "REMOVE")
"""What happens to a row, as DynamoDB calls it."""

_KEYS: Final = (
    "eventID",
    "eventName",
    "eventVersion",
    "eventSource",
    "awsRegion",
    "dynamodb",
    "eventSourceARN",
    "userIdentity",
)
"""Of a record (Lambda, "Example DynamoDB Streams record event")."""


@dataclass(frozen=True)
class OnTable(Streamed):
    """Runs the job for each row of a table that is put, changed or deleted. The payload is
    ``{"event": "INSERT", "keys", "new", "old"}``, plain values; `new` and `old` are what the row is
    and was, null where there is none (or the table's `stream` has none).

    The table's stream keeps a change for 24 hours, whoever reads it: what happens while nobody has
    run `devbridge dev` for longer starts nothing.

    Args:
        table: of this app.
        where: which of "INSERT", "MODIFY" and "REMOVE" are meant; by default all.
        filter: as `Streamed` says: ``{"dynamodb": {"NewImage": {"state": {"S": ["new"]}}}}``.
        name, loop, batch_size, batch, window, starting, retries: as `Trigger`, `Batched` and
            `Streamed` say.
    """

    kind: ClassVar[str] = "table"
    rules: ClassVar[Rules] = replace(
        LAMBDA, keys=_KEYS, example='{"dynamodb": {"NewImage": {"state": {"S": ["new"]}}}}'
    )

    table: Table
    where: Sequence[str] = WHERE

    @property
    def label(self) -> str:
        """See `Trigger.label`."""
        return self.name or self.table.name

    @property
    def reads(self) -> Construct | None:
        """See `Trigger.reads`."""
        return self.table

    def attach(self) -> None:
        """See `Trigger.attach`."""
        self.table.want_stream()

    def problem(self, owner: Code) -> Problem | None:
        """See `Trigger.problem`."""
        if not isinstance(self.table, Table):
            return repr(self.table), "a Table of this app"
        where = self.where
        listed = isinstance(where, Sequence) and not isinstance(where, str) and bool(where)
        if not listed or not all(each in WHERE for each in where):
            return f"where {where!r}", "a list of 'INSERT', 'MODIFY', 'REMOVE'"
        if found := self.batch_problem(owner) or self.stream_problem():
            return found
        if self.filter is not None and "eventName" in self.filter:
            return "filter: eventName", "where=[...] for it"
        return None

    def pattern(self) -> Mapping[str, Any] | None:
        """See `Streamed.pattern`."""
        if set(self.where) == set(WHERE):
            return self.filter
        named = [each for each in WHERE if each in self.where]
        return {"eventName": named, **(self.filter or {})}
