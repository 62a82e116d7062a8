"""What is read out of the events of AWS's services, and what becomes of it. See `sources`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from runner.messages import Listening, Read, limited, together
from runner.outcome import CANCELLED, SUCCEEDED
from runner.triggered import triggered
from stub_lambda.events import Start


@dataclass(frozen=True, slots=True)
class Record:
    """What is to become a run, and how AWS calls it: the ids that the answer may have to name."""

    ids: tuple[str, ...]
    start: Start

    def again(self, key: str) -> Record:
        """The same, of which a run has failed before: another run, of that key."""
        found = triggered(self.start.payload)
        assert found is not None  # noqa: S101 - it was made here
        text = found._replace(redriven=key).text()
        own = limited(found.name, f"redriven/{key}")
        return replace(self, start=replace(self.start, payload=text, key=own))


def record_of(read: Read, event: Any, *, remember: bool = True) -> Record:
    """The run that a record asks for, having come as that."""
    return _record((read.id,), read, event, remember)


def batch(read: Sequence[Read], records: Sequence[Any]) -> Record:
    """The one run that several records ask for."""
    ids = tuple(each.id for each in read)
    return _record(ids, together(read), {"Records": list(records)}, remember=True)


def _record(ids: tuple[str, ...], read: Read, event: Any, remember: bool) -> Record:
    held, alone = read.delivery > 0, read.name if read.alone else ""
    start = Start(read.wrapped(event), read.run_key, remember, held=held, alone=alone)
    return Record(ids, start)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What has become of a record."""

    record: Record
    answer: Mapping[str, Any] | None = None
    """The invoker's, if the run is accepted."""
    code: str = ""
    error: str = ""
    """Why it is not."""

    @property
    def failed(self) -> bool:
        """Whether it was not started."""
        return self.answer is None

    @property
    def kept(self) -> bool:
        """Whether its message is to stay in its queue: it was not started, or is held there until
        its run has succeeded."""
        if self.answer is None or not self.record.start.held:
            return self.failed
        return self.answer.get("state") not in (SUCCEEDED, CANCELLED)


class NotStarted(Exception):
    """Whoever has called the invoker is to call again: a run could not be started."""


class Source(Protocol):
    """A kind of event."""

    @property
    def ordered(self) -> bool:
        """What follows a record that was not started is not to be started before it."""

    def matches(self, event: Mapping[str, Any]) -> bool:
        """Whether it is of this kind."""

    def starts(self, event: Mapping[str, Any], listening: Listening) -> Sequence[Record]:
        """The runs that it asks for."""

    def answer(self, outcomes: Sequence[Outcome]) -> Any:
        """What Lambda returns.

        Raises:
            NotStarted: the caller learns of a failure by an error only.
        """
