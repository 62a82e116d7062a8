"""Everything that happens, on the terminal: plain lines, those of a run behind its bar."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, assert_never

from devbridge.daemon import lines
from devbridge.daemon.log_files import log_path
from devbridge.daemon.output import Lines
from devbridge.daemon.terminal import Terminal
from devbridge.daemon.told import (
    AppBroken,
    Began,
    Broken,
    Ended,
    FunctionPrinted,
    Gone,
    HandedOver,
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
from devbridge.palette import Style

PARTIAL_DELAY: Final = 0.25
"""Seconds of silence after which a line that has not ended is shown."""
LONGEST_PARTIAL: Final = 2.0
"""Seconds after which it is shown though it still grows, as a progress bar does."""


class TerminalListener:
    """Shows it.

    Args:
        root: the app's folder; paths below it are shown relative to it.
        logs: the folder of the log files.
    """

    def __init__(self, terminal: Terminal, root: Path, logs: Path) -> None:
        self._terminal = terminal
        self._root = root
        self._logs = logs
        self._style = Style(terminal.colour)
        self._outputs: dict[str, _Output] = {}
        """By the worker's id."""

    def on(self, event: Told) -> None:
        """Show what has happened."""
        style, line = self._style, self._terminal.line
        match event:
            case Printed() | Began() | Stopping() | Remarked() | Noted() | Ended() | Gone():
                self._on_worker(event)
            case NeverStarted() | Interrupted() | Waits():
                job_id = event.job_id if isinstance(event, Waits) else event.run.job_id
                for text in self._of_no_worker(event):
                    line(lines.bar(job_id, style) + text)
            case Broken(job, failure, worker_id, new):
                if output := self._outputs.get(worker_id):
                    output.flush()
                for text in lines.broken(job, failure, style) if new else ():
                    line(text)
            case TriedAgain() | Reloaded() | Restless() | Short() | AppBroken() | Said():
                line(self._of_no_run(event))
            case FunctionPrinted(function, said):
                bar = lines.bar_of_function(function, style)
                for text in (text for each in said for text in lines.of_function(each, style)):
                    line(bar + text)
            case HandedOver():
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
                path = log_path(self._logs, who.job, who.job_id)
                output.begin(lines.bar(who.job_id, style))
                output.say(lines.invoked(who.job, payload, attempt, max_attempts, style))
                output.say(lines.log_line(path, self._root, style))
            case Stopping(_, seconds):
                output.say(lines.stopping(seconds, style))
            case Remarked(_, text, mood):
                output.say(self._in_mood(text, mood))
            case Noted(_, text):
                output.say(style.warn(text))
            case Ended(_, change, run):
                output.end()
                again = None if change.state.final else change.detail
                for text in lines.ended(run, style, at=change.at, again=again):
                    output.say(text)
            case Gone(who):
                output.end()
                del self._outputs[who.worker_id]

    def _output(self, who: Who) -> _Output:
        output = self._outputs.get(who.worker_id)
        if output is None:
            bar = lines.bar_of_job(who.job, self._style)
            output = self._outputs[who.worker_id] = _Output(self._terminal, bar)
        return output

    def _of_no_worker(self, event: NeverStarted | Interrupted | Waits) -> Iterator[str]:
        style = self._style
        match event:
            case NeverStarted(_, run, payload):
                if run.started_at is None:
                    yield lines.invoked(run.job, payload, run.attempt, run.max_attempts, style)
                yield from lines.ended(run, style)
            case Interrupted(change):
                yield lines.interrupted(change, style)
            case Waits():
                yield lines.waits(event, style)

    def _of_no_run(self, event: TriedAgain | Reloaded | Restless | Short | AppBroken | Said) -> str:
        style = self._style
        match event:
            case TriedAgain(job, pause):
                return lines.tried_again(job, pause, style)
            case Reloaded(job, seconds):
                return lines.reloaded(job, seconds, style)
            case Restless(job, path):
                return lines.restless(job, path, self._root, style)
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
        self._began: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._show_by: float | None = None

    def begin(self, bar: str) -> None:
        """From now on it belongs to a run."""
        self.flush()
        self._bar, self._began = bar, time.monotonic()

    def printed(self, data: bytes) -> None:
        """Show the lines that are whole now; the rest when nothing more comes for a moment."""
        shown = self._lines.feed(data, self._tag())
        self._show(shown)
        self._wait_no_more()
        if shown or not self._lines.pending:
            self._show_by = None
        if self._lines.pending:
            now = self._loop.time()
            self._show_by = self._show_by or now + LONGEST_PARTIAL
            self._timer = self._loop.call_at(min(now + PARTIAL_DELAY, self._show_by), self.flush)

    def say(self, text: str) -> None:
        """A line of devbridge's own among the output, behind the same bar."""
        self._show(self._lines.flush(self._tag()))
        self._terminal.line(self._bar + text)

    def flush(self) -> None:
        """Show the line that has not ended."""
        self._wait_no_more()
        self._show_by = None
        self._show(self._lines.flush(self._tag()))

    def end(self) -> None:
        """Nothing more will come."""
        self.flush()
        self._show(self._lines.end(self._tag()))

    def _wait_no_more(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tag(self) -> str:
        if self._began is None:
            return self._bar
        return self._bar + lines.elapsed(time.monotonic() - self._began)

    def _show(self, text: str) -> None:
        if text:
            self._terminal.write(text.encode("utf-8", "backslashreplace"))
