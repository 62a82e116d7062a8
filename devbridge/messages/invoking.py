"""Has a job's invoker start runs again: for records that were in no queue, or that Lambda has given
up, of which only their place in a stream is known."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from devbridge.messages.letters import Letter
from devbridge.messages.mover import NoWayBack
from devbridge.messages.streams import GivenUp, Gone, read

Json = dict[str, Any]
_AT_ONCE: Final = 10
"""Records that an invoker surely starts in its time."""
_SIZE: Final = 5_000_000
"""Bytes of them: an invocation takes 6 MB."""


class Invoking:
    """Calls invokers.

    Args:
        client: gives botocore's client for a service.
    """

    def __init__(self, client: Callable[[str], Any]) -> None:
        self._client = client

    def calls(self, letter: Letter) -> list[Json]:
        """What the invoker is to be called with.

        Raises:
            NoWayBack: the records are gone, or of a stream that is not the invoker's.
        """
        if (found := letter.given_up) is None:
            return [{"redriven": letter.key, "event": letter.event}]
        filters, size = self._mapping(found)
        try:
            records = read(self._client, found, filters)
        except Gone as error:
            raise NoWayBack(str(error)) from None
        # Each has its own key: it starts what it would have started.
        return [{"redriven": "", "event": {"Records": some}} for some in _parts(records, size)]

    def call(self, function: str, events: Sequence[Json]) -> None:
        """Call an invoker.

        Raises:
            NoWayBack: a run was not started.
        """
        for event in events:
            payload = json.dumps(event).encode()
            answer = self._client("lambda").invoke(FunctionName=function, Payload=payload)
            told = json.loads(answer["Payload"].read() or "null")
            if answer.get("FunctionError") or not isinstance(told, Mapping):
                said = told.get("errorMessage", told) if isinstance(told, Mapping) else told
                raise NoWayBack(f"the job's invoker has failed: {said}")
            if "refused" not in told:
                raise NoWayBack(f"the job's invoker does not know of this: deploy it again: {told}")
            if refused := told["refused"]:
                first = refused[0]
                raise NoWayBack(f"its run was not started: {first['code']}: {first['error']}")

    def _mapping(self, found: GivenUp) -> tuple[Sequence[str], int]:
        """Which records of the stream the invoker gets, and how many at once.

        Raises:
            NoWayBack: it gets none. Whoever may send to the dead-letter queue may name any stream.
        """
        pages = self._client("lambda").get_paginator("list_event_source_mappings")
        for page in pages.paginate(FunctionName=found.function):
            for each in page["EventSourceMappings"]:
                arn = str(each.get("EventSourceArn", ""))  # or of one of its consumers
                if arn == found.stream or arn.startswith(f"{found.stream}/consumer/"):
                    filters = (each.get("FilterCriteria") or {}).get("Filters") or ()
                    patterns = [one["Pattern"] for one in filters if one.get("Pattern")]
                    return patterns, int(each.get("BatchSize") or _AT_ONCE)
        raise NoWayBack(f"names a stream that its job does not read: {found.stream}")


def _parts(records: Sequence[Json], most: int) -> Iterator[list[Json]]:
    part, size = list[Json](), 0
    for record in records:
        own = len(json.dumps(record))
        if part and (len(part) == most or size + own > _SIZE):
            yield part
            part, size = [], 0
        part.append(record)
        size += own
    if part:
        yield part
