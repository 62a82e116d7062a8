"""What a run has printed, from CloudWatch Logs: all of it, or only what the run itself printed.

A run may have had several machines, one after the other, each with a stream of its own; a function
goes to and fro between some. The runner's own lines name the run, the last of them come together,
and CodeBuild's begin with a time::

    [Container] 2026/01/31 12:00:00.000000 Running command python3 runner run
    |  Invoke factorial demo-prod-factorial:3f2a...
    what the handler prints
    |  Done    demo-prod-factorial:3f2a... took 1.20s
    {"devbridge": {"state": "SUCCEEDED", "attempt": 1, "result": 120}}

A container job has no runner: there, all but CodeBuild's lines is the run's. A function's stream
has other runs too, each invocation between lines of Lambda's::

    START RequestId: 8b1f... Version: $LATEST
    |  Invoke factorial demo_prod_factorial:3f2a...
    what the handler prints
    END RequestId: 8b1f...
"""

from __future__ import annotations

import heapq
import re
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from devbridge.runs.base import Run
from devbridge.runs.deployed import DeployedRun
from devbridge.runs.log_events import Stream
from devbridge.runs.providers.known import shares_streams
from devbridge.runs.records import Log

SETTLE: Final = 15.0
"""Seconds without anything new after which a run that has ended has printed all: CloudWatch Logs
gets lines some seconds after they were printed."""

_FULL: Final = 256 * 1024 - 64
"""Bytes of an event, or a little fewer, that has no room for more: its line goes on in the next."""
_LINES: Final = re.compile(r"[^\n]*\n|[^\n]+")
_CODEBUILDS: Final = re.compile(r"\[Container\] \d{4}/\d\d/\d\d \d\d:\d\d:\d\d(?:\.\d+)? ")
_AFTERWARDS: Final = re.compile(
    _CODEBUILDS.pattern + r"(?:Phase complete: |Phase context status code: |Entering phase "
    r"|Command did not exit successfully |Running command |Expanding |Assembling )"
)
"""What CodeBuild says once the runner has begun; any other line is the handler's."""
_INVOCATION: Final = re.compile(r"(START|END|REPORT) RequestId: [0-9a-f-]{36}")
"""What Lambda says before and after each invocation."""
_LAST: Final = '{"devbridge": {"state": "'


class Output:
    """Chooses what of a stream of a run's log is shown. Pure: text in, text out."""

    def __init__(
        self, job_id: str, *, everything: bool = False, runner: bool = True, shared: bool = False
    ) -> None:
        """
        Args:
            runner: False for a container job.
            shared: other runs write to the same streams: a function does.
        """
        name = re.escape(job_id)
        self._first = re.compile(rf"\|  Invoke \S+ {name}\s")
        self._own = re.compile(rf"\|  (?:Waiting|Warning|Again|Goes on|(Done|Error)) +{name} ")
        self._everything = everything
        self._runner = runner
        self._shared = shared
        self._opening = ""
        """The line of Lambda's that an invocation began with."""
        self.begun = (everything and not shared) or not runner
        """The run's own output, if it has any, was reached."""
        self._held = ""
        """A line that is the runner's if `_LAST` follows it, and else the handler's."""
        self.complete = False
        """All that the run has printed was seen. Never known with `everything`, nor of a container
        job."""

    def shown(self, message: str) -> str:
        """What is shown of an event of the log, one line or more."""
        if not message.endswith("\n") and len(message.encode()) < _FULL:
            message += "\n"
        if self._everything and not self._shared:
            return message
        shown = self._invocation if self._everything else self._shown
        return "".join(map(shown, _LINES.findall(message)))

    def _invocation(self, line: str) -> str:
        """A line, if it is of an invocation that runs this run."""
        lambdas = _INVOCATION.match(line)
        if lambdas and lambdas[1] == "START":
            self.begun, self._opening = False, line
            return ""
        opening, own = "", self._first.match(line) is not None
        if own and not self.begun:
            self.begun, opening = True, self._opening
        ours = self.begun
        if lambdas and lambdas[1] == "REPORT":
            self.begun = False
        return opening + line if ours else ""

    def _shown(self, line: str) -> str:
        """What is shown now that this line has come."""
        if not self._runner:
            return "" if _CODEBUILDS.match(line) else line
        held, self._held = self._held, ""
        if self.complete or (held and line.startswith(_LAST)):
            self.complete = True
            return ""
        if self._first.match(line):
            self.begun = True
            return held
        if self._shared and _INVOCATION.match(line):
            self.begun = False
        if not self.begun or _AFTERWARDS.match(line):
            return held
        own = self._own.match(line)
        if own and own[1]:
            self._held = line
        return held if own else held + line


def reader(
    client: Callable[[], Any], *, runner: bool, settle: float = SETTLE
) -> Callable[[DeployedRun, bool, bool], Iterator[bytes]]:
    """What reads the output of a job's runs.

    Args:
        client: gives botocore's client of CloudWatch Logs, when it is needed.
        runner: False for a container job.
        settle: seconds, see `SETTLE`.
    """

    def output(run: DeployedRun, follow: bool, everything: bool) -> Iterator[bytes]:
        shared = shares_streams(run.compute)
        # What a function's streams have of the time before is no part of the run.
        since = run.record.created_at if shared else None

        def chosen() -> Output:
            job_id = run.record.job_id
            return Output(job_id, everything=everything, runner=runner, shared=shared)

        streams = Streams(client, lambda: run.logs, chosen, since)
        return following(run, streams, settle=settle) if follow else copy(streams)

    return output


class Streams:
    """The streams of a run, read from their beginnings on; there may be more of them later.

    They are read at the same time, in the order of time: the invocations of a function that goes on
    in another one take turns among several."""

    def __init__(
        self,
        client: Callable[[], Any],
        logs: Callable[[], Sequence[Log]],
        chosen: Callable[[], Output],
        since: float | None = None,
    ) -> None:
        """
        Args:
            client: gives botocore's client of CloudWatch Logs, when it is needed.
            logs: gives the groups and streams that are known, in order.
            chosen: makes what chooses what is shown of a stream.
            since: what is older is left out; seconds since the epoch.
        """
        self._client = client
        self._logs = logs
        self._chosen = chosen
        self._since = since
        self._streams: dict[Log, tuple[Stream, Output]] = {}

    @property
    def count(self) -> int:
        """The messages that were read."""
        return sum(stream.count for stream, _ in self._streams.values())

    @property
    def complete(self) -> bool:
        """All that the run has printed was seen, as far as anybody can know."""
        return any(output.complete for _, output in self._streams.values())

    def read(self) -> Iterator[str]:
        """What is shown of the messages that have come since the last call."""
        for log in self._logs():
            if log not in self._streams:
                stream = Stream(self._client(), *log, since=self._since)
                self._streams[log] = stream, self._chosen()
        new = (_shown(*each) for each in self._streams.values())
        return (text for _, text in heapq.merge(*new, key=_time))


def _shown(stream: Stream, output: Output) -> Iterator[tuple[int, str]]:
    return ((at, text) for at, message in stream.read() if (text := output.shown(message)))


def _time(event: tuple[int, str]) -> int:
    return event[0]


def copy(streams: Streams) -> Iterator[bytes]:
    """What is new, and shown."""
    return (text.encode("utf-8", "replace") for text in streams.read())


def following(run: Run, streams: Streams, *, settle: float) -> Iterator[bytes]:
    """A run's log while it grows, until the run has ended and all of it was read. `settle` is in
    seconds."""
    quiet_since: float | None = None
    while True:
        record, before = run.refresh(), streams.count
        yield from copy(streams)
        if record.state.final:
            now = time.monotonic()
            if streams.count > before or quiet_since is None:
                quiet_since = now
            if streams.complete or now - quiet_since >= settle:
                return
        time.sleep(run.poll)
