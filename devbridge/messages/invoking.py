"""Has a job's invoker start runs again: for records that were in no queue, or that Lambda has given
up, of which only their place in a stream is known. A function is called with those itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from botocore.exceptions import ReadTimeoutError

from devbridge.messages.letters import Letter
from devbridge.messages.mover import NoWayBack
from devbridge.messages.streams import GivenUp, Gone, read
from devbridge.words import many

Json = dict[str, Any]
LONGEST: Final = 960.0
"""Seconds: more than a function may take."""
_AT_ONCE: Final = 10
"""Records that an invoker surely starts in its time."""
_SIZE: Final = 5_000_000
"""Bytes of them: an invocation takes 6 MB."""


class Invoking:
    """Calls invokers and functions.

    Args:
        client: gives botocore's client for a service.
        waiting: gives that of Lambda which waits for a function to its end, and calls it once.
    """

    def __init__(self, client: Callable[[str], Any], waiting: Callable[[], Any]) -> None:
        self._client = client
        self._waiting = waiting

    def calls(self, letter: Letter) -> list[Json]:
        """What the invoker is to be called with.

        Raises:
            NoWayBack: the records are gone, or of a stream that is not the invoker's.
        """
        if (found := letter.given_up) is None:
            return [{"redriven": letter.key, "event": letter.event}]
        # Each has its own key: it starts what it would have started.
        return [{"redriven": "", "event": event} for event in self.events(found)]

    def events(self, found: GivenUp) -> list[Json]:
        """The records, as Lambda hands them over to who reads the stream.

        Raises:
            NoWayBack: as `calls`.
        """
        filters, size = self._mapping(found)
        try:
            records = read(self._client, found, filters)
        except Gone as error:
            raise NoWayBack(str(error)) from None
        return [{"Records": some} for some in _parts(records, size)]

    def call(self, function: str, events: Sequence[Json]) -> None:
        """Call an invoker.

        Raises:
            NoWayBack: a run was not started.
        """
        for event in events:
            failed, told = _invoke(self._client("lambda"), function, event)
            if failed or not isinstance(told, Mapping):
                raise NoWayBack(f"the job's invoker has failed: {_said(told)}")
            if "refused" not in told:
                raise NoWayBack(f"the job's invoker does not know of this: deploy it again: {told}")
            if refused := told["refused"]:
                first = refused[0]
                raise NoWayBack(f"its run was not started: {first['code']}: {first['error']}")

    def call_function(self, function: str, events: Sequence[Json]) -> None:
        """Call a Function with records of a stream, as Lambda does.

        Raises:
            NoWayBack: it has failed at some of them.
        """
        for event in events:
            records = many(len(event["Records"]), "record")
            try:
                failed, told = _invoke(self._waiting(), function, event)
            except ReadTimeoutError:
                raise NoWayBack(f"the function goes on with {records}: see its log") from None
            if failed:
                raise NoWayBack(f"the function has failed at {records}: {_said(told)}")
            items = told.get("batchItemFailures") if isinstance(told, Mapping) else None
            if items:
                named = [each.get("itemIdentifier") for each in items if isinstance(each, Mapping)]
                first = f", from {named[0]} on" if named and named[0] else ""
                raise NoWayBack(f"the function has failed at some of {records}{first}")

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
        raise NoWayBack(f"names a stream that is not read for it: {found.stream}")


def _invoke(client: Any, function: str, event: Json) -> tuple[bool, Any]:
    """Whether it has failed, and what it has answered."""
    payload = json.dumps(event).encode()
    answer = client.invoke(FunctionName=function, Payload=payload)
    told = json.loads(answer["Payload"].read() or "null")
    return "FunctionError" in answer, told


def _said(told: Any) -> Any:
    return told.get("errorMessage", told) if isinstance(told, Mapping) else told


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
