"""Everything that happens, on the terminal: plain lines, those of a run behind its bar.

The line that a run begins with is held back for a moment. If the run succeeds within that, and
nothing was shown since, all of it is one line.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, assert_never

from devbridge.daemon import lines
from devbridge.daemon.broken_jobs import BrokenJobs
from devbridge.daemon.log_files import log_path
from devbridge.daemon.output import Lines
from devbridge.daemon.terminal import Terminal
from devbridge.daemon.told import (
    AppBroken,
    Began,
    Broken,
    Deployed,
    Ended,
    FunctionPrinted,
    Gone,
    HandedOver,
    Held,
    Interrupted,
    Mood,
    NeverStarted,
    Noted,
    Printed,
    Reloaded,
    Remarked,
    Restless,
    Said,
    Short,
    Stopping,
    Told,
    TriedAgain,
    Waits,
    Who,
)
from devbridge.daemon.wrapping import columns, wrapped
from devbridge.palette import Style, Turns
from devbridge.runs.model import State

PARTIAL_DELAY: Final = 0.25
"""Seconds of silence after which a line that has not ended is shown."""
LONGEST_PARTIAL: Final = 2.0
"""Seconds after which it is shown though it still grows, as a progress bar does."""
HELD: Final = 0.15
"""Seconds for which a line is held that more may be said in."""
LEAST_SHOWN: Final = 20
"""Characters of a payload or result that are shown however narrow the terminal is."""
ONE_LINE: Final = 120
"""Columns of the longest line that tells of a whole run, where there is no terminal."""


class TerminalListener:
    """Shows it.

    Args:
        root: the app's folder.
        logs: the folder of the log files.
        verbose: show where the log is of each run, not only of those that do not succeed.
    """

    def __init__(
        self, terminal: Terminal, root: Path, logs: Path, *, verbose: bool = False
    ) -> None:
        self._terminal = terminal
        self._root = root
        self._logs = logs
        self._verbose = verbose
        self._style = Style(terminal.colour)
        self._names = 0
        """The width of the column of jobs' names."""
        self._colour = Turns()
        self._outputs: dict[str, _Output] = {}
        """By the worker's id."""
        self._broken = BrokenJobs(terminal, root, self._style, self._hold)

    def on(self, event: Told) -> None:
        """Show what has happened."""
        match event:
            case Printed() | Began() | Stopping() | Remarked() | Noted() | Ended() | Gone():
                self._on_worker(event)
            case NeverStarted() | Interrupted() | Waits() | FunctionPrinted():
                bar = self._bar(event)
                for text in self._of_no_worker(event):
                    self._terminal.line(bar + text, hang=columns(bar) + lines.WORD)
            case Broken(job, failure, worker_id, new):
                if output := self._outputs.get(worker_id):
                    output.flush()
                if new:
                    self._broken.broke(job, failure)
            case Deployed(jobs):
                self._names = lines.column(jobs)
            case TriedAgain() | Reloaded() | Restless() | Short() | AppBroken() | Said():
                self._terminal.line(self._of_no_run(event))
            case HandedOver() | Held():
                pass  # who takes the stage over is told in one sentence, not for each run
            case _:
                assert_never(event)

    def _on_worker(
        self, event: Printed | Began | Stopping | Remarked | Noted | Ended | Gone
    ) -> None:
        style, output = self._style, self._output(event.who)
        match event:
            case Printed(_, data):
                output.printed(data)
            case Began(who, attempt, max_attempts, payload):
                output.begin(self._bar_of_run(who.job_id, who.job))
                invoked = output.fitted(
                    lambda room: lines.invoked(who.job, payload, attempt, max_attempts, style, room)
                )
                if self._verbose:
                    output.say(invoked)
                    output.say(lines.log_line(log_path(self._logs, who.job, who.job_id), style))
                else:
                    output.say_soon(invoked, self._hold)
            case Stopping(_, seconds):
                output.say(lines.stopping(seconds, style))
            case Remarked(_, text, mood):
                output.say(self._in_mood(text, mood))
            case Noted(_, text):
                output.say(style.warn(text))
            case Ended():
                self._ended(event, output)
            case Gone(who):
                output.end()
                del self._outputs[who.worker_id]

    def _ended(self, event: Ended, output: _Output) -> None:
        style, change, run = self._style, event.change, event.run
        output.end()
        if change.state is State.SUCCEEDED:
            if not output.say_at_once(lambda invoked: lines.at_once(invoked, run, style)):
                output.say(output.fitted(lambda room: lines.done(run, style, room)))
            return
        again = None if change.state.final else change.detail
        for text in lines.ended(run, self._root, style, at=change.at, again=again):
            output.say(text)
        if change.state.final and not self._verbose:
            output.say(lines.log_line(log_path(self._logs, run.job, run.job_id), style))

    def _hold(self, texts: Sequence[str], hang: int) -> int:
        asyncio.get_running_loop().call_later(HELD, self._terminal.release)
        return self._terminal.hold(texts, hang=hang)

    def _output(self, who: Who) -> _Output:
        output = self._outputs.get(who.worker_id)
        if output is None:
            bar = lines.bar_of_job(who.job, self._names, self._style)
            output = self._outputs[who.worker_id] = _Output(self._terminal, bar)
        return output

    def _bar(self, event: NeverStarted | Interrupted | Waits | FunctionPrinted) -> str:
        if isinstance(event, FunctionPrinted):
            return lines.bar_of_function(
                event.function, self._names, self._style, self._colour(event.function)
            )
        run = event if isinstance(event, Waits) else event.run
        return self._bar_of_run(run.job_id, run.job)

    def _bar_of_run(self, job_id: str, job: str) -> str:
        return lines.bar(job_id, job, self._names, self._style, self._colour(job_id))

    def _of_no_worker(
        self, event: NeverStarted | Interrupted | Waits | FunctionPrinted
    ) -> Iterator[str]:
        style = self._style
        match event:
            case NeverStarted(_, run, payload):
                if run.started_at is None:
                    yield lines.invoked(run.job, payload, run.attempt, run.max_attempts, style)
                if run.failure and self._broken.has_said(run.job, run.failure):
                    yield lines.failed_as_said(run.failure, style)
                else:
                    yield from lines.ended(run, self._root, style)
                yield lines.log_line(Path(run.log), style)
            case Interrupted(change):
                yield lines.interrupted(change, style)
            case Waits():
                yield lines.waits(event, style)
            case FunctionPrinted(_, said):
                for each in said:
                    yield from lines.of_function(each, self._root, style)

    def _of_no_run(self, event: TriedAgain | Reloaded | Restless | Short | AppBroken | Said) -> str:
        style = self._style
        match event:
            case TriedAgain(job, pause):
                return lines.tried_again(job, pause, style)
            case Reloaded(job, seconds):
                self._broken.loaded(job)
                return lines.reloaded(job, seconds, style)
            case Restless(job, path):
                return lines.restless(job, path, style)
            case Short(reason):
                return lines.short(reason, style)
            case AppBroken(error):
                return lines.app_broken(error, style)
            case Said(text, mood):
                return self._in_mood(text, mood)

    def _in_mood(self, text: str, mood: Mood) -> str:
        style = self._style
        looks = {
            Mood.LOUD: style.bold,
            Mood.GOOD: style.good,
            Mood.WARN: style.warn,
            Mood.BAD: style.bad,
        }
        return looks.get(mood, str)(text)


class _Output:
    """What the terminal shows of one worker."""

    def __init__(self, terminal: Terminal, bar: str) -> None:
        self._terminal = terminal
        self._loop = asyncio.get_running_loop()
        self._lines = Lines()
        self._bar = bar
        self._width = columns(bar)
        self._began: float | None = None
        self._held = 0
        """The terminal's number of the line that the run begins with, and that line."""
        self._invoked = ""
        self._timer: asyncio.TimerHandle | None = None
        self._show_by: float | None = None

    def begin(self, bar: str) -> None:
        """From now on it belongs to a run."""
        self.flush()
        self._bar, self._width, self._began = bar, columns(bar), time.monotonic()

    def printed(self, data: bytes) -> None:
        """Show the lines that are whole now; the rest when nothing more comes for a moment."""
        tag = self._tag()
        shown = self._lines.feed(data, tag)
        self._show(shown, tag)
        self._wait_no_more()
        if shown or not self._lines.pending:
            self._show_by = None
        if self._lines.pending:
            now = self._loop.time()
            self._show_by = self._show_by or now + LONGEST_PARTIAL
            self._timer = self._loop.call_at(min(now + PARTIAL_DELAY, self._show_by), self.flush)

    def fitted(self, line: Callable[[int], str]) -> str:
        """A line that the terminal has room for: what it quotes is cut, not left to run on.

        Args:
            line: makes it, quoting at most so many characters.
        """
        room = lines.PAYLOAD_SHOWN
        if width := self._terminal.width:
            left = width - self._width - columns(line(0))
            room = max(LEAST_SHOWN, min(room, left))
        return line(room)

    def say(self, text: str) -> None:
        """A line of devbridge's own among the output, behind the same bar."""
        tag = self._tag()
        self._show(self._lines.flush(tag), tag)
        self._terminal.line(self._bar + text, hang=self._width + lines.WORD)

    def say_soon(self, text: str, hold: Callable[[Sequence[str], int], int]) -> None:
        """The line that the run begins with: it may be held."""
        self._invoked = text
        self._held = hold([self._bar + text], self._width + lines.WORD)

    def say_at_once(self, whole: Callable[[str], str]) -> bool:
        """All of the run in one line, if its first one is still held, and it fits.

        Args:
            whole: makes that line of the first one.
        """
        text = self._bar + whole(self._invoked)
        if columns(text) > (self._terminal.width or ONE_LINE):
            return False
        if self._terminal.take_back(self._held):
            self._terminal.pass_by(text)
            return True
        return False

    def flush(self) -> None:
        """Show the line that has not ended."""
        self._wait_no_more()
        self._show_by = None
        tag = self._tag()
        self._show(self._lines.flush(tag), tag)

    def end(self) -> None:
        """Nothing more will come."""
        self.flush()
        tag = self._tag()
        self._show(self._lines.end(tag), tag)

    def _wait_no_more(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tag(self) -> str:
        if self._began is None:
            return self._bar
        return self._bar + lines.elapsed(time.monotonic() - self._began)

    def _show(self, text: str, tag: str) -> None:
        """Lines of output, each behind the tag."""
        if text:
            if width := self._terminal.width:
                text = wrapped(text, width, self._width + len(tag) - len(self._bar))
            self._terminal.write(text.encode("utf-8", "backslashreplace"))
