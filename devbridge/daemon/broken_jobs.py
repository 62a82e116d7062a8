"""What the terminal says of jobs that cannot be loaded: an error once, whoever has it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Final

from devbridge.daemon import lines
from devbridge.daemon.terminal import Terminal
from devbridge.palette import Style
from runner.outcome import Failure

HANG: Final = len("Error  ")


@dataclass(slots=True)
class _Said:
    """What was said last, of how many jobs."""

    jobs: list[str]
    failure: Failure
    how: lines.Broke
    held: int = 0
    """The terminal's number of it."""


class BrokenJobs:
    """Says an error whole when it is new; in short when another job has it, too, or when a save has
    not changed it. Jobs that find the same one within a moment are told of together.

    Args:
        root: the app's folder.
        hold: has the terminal hold some lines for a moment; see `Terminal.hold`.
    """

    def __init__(
        self,
        terminal: Terminal,
        root: Path,
        style: Style,
        hold: Callable[[Sequence[str], int], int],
    ) -> None:
        self._terminal = terminal
        self._root = root
        self._style = style
        self._hold = hold
        self._errors: dict[str, Failure] = {}
        """What was said of each job that is broken."""
        self._last: _Said | None = None

    def broke(self, job: str, failure: Failure) -> None:
        """The job cannot be loaded: say so, though it may be the same since the last save."""
        how = self._how(job, failure)
        self._errors[job] = failure
        last = self._last
        if last is not None and _go_together(last, how, failure) and self._take_back(last):
            last.jobs.append(job)
            last.failure = _shared(last.failure, failure)
        else:
            last = self._last = _Said([job], failure, how)
        said = lines.broken(last.jobs, last.failure, self._root, self._style, how=last.how)
        last.held = self._hold(said, HANG)

    def loaded(self, job: str) -> None:
        """The job is well again."""
        self._errors.pop(job, None)

    def has_said(self, job: str, failure: Failure | None) -> bool:
        """Whether this was said of the job, and holds."""
        known = self._errors.get(job)
        return known is not None and failure is not None and _seen(known) == _seen(failure)

    def _how(self, job: str, failure: Failure) -> lines.Broke:
        if self.has_said(job, failure):
            return lines.Broke.STILL
        causes = [_cause(error) for other, error in self._errors.items() if other != job]
        return lines.Broke.TOO if _cause(failure) in causes else lines.Broke.NEW

    def _take_back(self, said: _Said) -> bool:
        return self._terminal.take_back(said.held)


def _go_together(said: _Said, how: lines.Broke, failure: Failure) -> bool:
    still = lines.Broke.STILL
    return _cause(said.failure) == _cause(failure) and (said.how is still) == (how is still)


def _seen(failure: Failure) -> Failure:
    """What the developer sees of it."""
    return replace(failure, trace=())


def _cause(failure: Failure) -> Failure:
    """What jobs that import the same have in common."""
    return replace(failure, trace=(), frames=failure.frames[-1:])


def _shared(one: Failure, other: Failure) -> Failure:
    """The same error with the frames that both have: those of what both import."""
    pairs = zip(reversed(one.frames), reversed(other.frames), strict=False)
    count = len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))
    return replace(one, frames=one.frames[len(one.frames) - count :])
