"""What becomes of each run, told on the terminal and in the run's log file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from devbridge.daemon import lines
from devbridge.daemon.events import Give, Waits
from devbridge.daemon.output import Capture, LogFile, log_path
from devbridge.daemon.processes import Member
from devbridge.daemon.terminal import Terminal
from devbridge.palette import Style
from devbridge.runs.base import RunRecord
from devbridge.runs.ledger import Change
from devbridge.runs.model import State
from runner.outcome import Failure


class Narrator:
    """Tells it as it happens.

    Args:
        root: the app's folder; paths are shown relative to it.
        logs: the folder of the log files.
        limit: bytes that one of them may take.
    """

    def __init__(self, root: Path, logs: Path, limit: int, terminal: Terminal) -> None:
        self._root = root
        self._logs = logs
        self._limit = limit
        self._terminal = terminal
        self._style = Style(terminal.colour)
        self._loads: dict[str, tuple[Failure, bytes]] = {}
        """The last failure to load each job, and what was printed meanwhile."""

    def broken(self, job: str, failure: Failure, member: Member | None, *, new: bool) -> None:
        """A job cannot be loaded; `member` is the worker that tried. Shown when it is `new`."""
        self._loads[job] = failure, member.capture.printed() if member else b""
        for line in lines.broken(job, failure, self._style) if new else ():
            self._terminal.line(line)

    def waits(self, wait: Waits) -> None:
        """A limit keeps a run from starting."""
        self._line(wait.job_id, lines.waits(wait, self._style))

    def began(self, give: Give, max_attempts: int, payload: bytes, capture: Capture) -> None:
        """An attempt begins, whose output goes to the run's log from now on."""
        path = log_path(self._logs, give.job, give.job_id)
        capture.keep(self._file(path, capture.say))
        capture.say(lines.invoked(give.job, payload, give.attempt, max_attempts, self._style))
        capture.say(lines.log_line(path, self._root, self._style))

    def attempt_ended(self, change: Change, entry: RunRecord, member: Member) -> None:
        """Remember what to say when all of the worker's output has been taken: see `told`."""
        again = None if change.state.final else change.detail
        member.last_words = lines.ended(entry, self._style, at=change.at, again=again)
        if change.failure is not None:
            member.trace = lines.log_end(change)

    def told(self, member: Member) -> None:
        """A worker is gone, and all of its output was taken."""
        member.capture.log(member.trace)
        for line in member.last_words:
            member.capture.say(line)

    def never_started(self, change: Change, entry: RunRecord, payload: bytes) -> None:
        """A run has ended, and no worker has it."""
        if entry.started_at is None:
            invoked = lines.invoked(
                entry.job, payload, entry.attempt, entry.max_attempts, self._style
            )
            self._line(entry.job_id, invoked)
        for line in lines.ended(entry, self._style):
            self._line(entry.job_id, line)
        failure, output = self._loads.get(entry.job, (None, b""))
        self.log_end(change, entry, output if failure is change.failure else b"")

    def lost(self, change: Change, entry: RunRecord) -> None:
        """A run, or an attempt of it, has ended with an earlier daemon."""
        word = "Cancelled" if change.state is State.CANCELLED else "Crashed"
        self._line(change.job_id, f"{self._style.bad(word)} {change.detail}")
        self.log_end(change, entry)

    def log_end(self, change: Change, entry: RunRecord, output: bytes = b"") -> None:
        """Complete the log of a run, or of an attempt, that no worker's output tells the end of."""
        log = self._file(Path(entry.log), self._terminal.line)
        log.write(output + lines.log_end(change))
        log.close()

    def _line(self, job_id: str, text: str) -> None:
        self._terminal.line(lines.bar(job_id, self._style) + text)

    def _file(self, path: Path, say: Callable[[str], None]) -> LogFile:
        return LogFile(
            path,
            lambda problem: say(self._style.bad(problem)),
            limit=self._limit,
            on_rotate=lambda text: say(self._style.warn(text)),
        )
