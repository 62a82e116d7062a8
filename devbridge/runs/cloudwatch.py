"""What a build has printed, from CloudWatch Logs: all of it, or only what the run itself printed.

The runner's own lines name the build, the last of them come together, and CodeBuild's begin with
a time::

    [Container] 2026/01/31 12:00:00.000000 Running command python3 runner build
    |  Invoke factorial demo-prod-factorial:3f2a...
    what the handler prints
    |  Done    demo-prod-factorial:3f2a... took 1.20s
    {"devbridge": {"state": "SUCCEEDED", "attempt": 1, "result": 120}}

A container job has no runner: there, all but CodeBuild's lines is the run's.
"""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from devbridge.runs.base import Run
from devbridge.runs.codebuild import CodeBuildRun
from devbridge.runs.log_events import Stream

SETTLE: Final = 15.0
"""Seconds without anything new after which a build that has ended has printed all: CloudWatch Logs
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
_LAST: Final = '{"devbridge": {"state": "'


class Output:
    """Chooses what of a build's log is shown. Pure: text in, text out."""

    def __init__(self, job_id: str, *, everything: bool = False, runner: bool = True) -> None:
        """`runner` is False for a container job."""
        name = re.escape(job_id)
        self._first = re.compile(rf"\|  Invoke \S+ {name}\s")
        self._own = re.compile(rf"\|  (?:Waiting|Warning|Again|(Done|Error)) +{name} ")
        self._everything = everything
        self._runner = runner
        self.begun = everything or not runner
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
        if self._everything:
            return message
        return "".join(map(self._shown, _LINES.findall(message)))

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
        if not self.begun or _AFTERWARDS.match(line):
            return held
        own = self._own.match(line)
        if own and own[1]:
            self._held = line
        return held if own else held + line


def reader(
    client: Callable[[], Any], *, runner: bool, settle: float = SETTLE
) -> Callable[[CodeBuildRun, bool, bool], Iterator[bytes]]:
    """What reads the output of a job's builds.

    Args:
        client: gives botocore's client of CloudWatch Logs, when it is needed.
        runner: False for a container job.
        settle: seconds, see `SETTLE`.
    """

    def output(run: CodeBuildRun, follow: bool, everything: bool) -> Iterator[bytes]:
        chosen = Output(run.record.job_id, everything=everything, runner=runner)
        stream = functools.partial(_stream, client, run)
        if follow:
            return following(run, stream, chosen, settle=settle)
        found = stream()
        return iter(()) if found is None else copy(found, chosen)

    return output


def _stream(client: Callable[[], Any], run: CodeBuildRun) -> Stream | None:
    build = run.build
    if not build.log_stream:
        return None
    return Stream(client(), build.log_group, build.log_stream)


def copy(stream: Stream, output: Output) -> Iterator[bytes]:
    """What is new, and shown."""
    return (
        text.encode("utf-8", "replace")
        for message in stream.read()
        if (text := output.shown(message))
    )


def following(
    run: Run, stream: Callable[[], Stream | None], output: Output, *, settle: float
) -> Iterator[bytes]:
    """A build's log while it grows, until the build has ended and all of it was read.

    `stream` gives None as long as the build has none. `settle` is in seconds.
    """
    found: Stream | None = None
    quiet_since: float | None = None
    while True:
        record = run.refresh()
        found = found or stream()
        before = found.count if found else 0
        if found:
            yield from copy(found, output)
        if record.state.final:
            now = time.monotonic()
            if (found and found.count > before) or quiet_since is None:
                quiet_since = now
            if output.complete or now - quiet_since >= settle:
                return
        time.sleep(run.poll)
