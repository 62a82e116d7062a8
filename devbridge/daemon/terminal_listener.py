"""Everything that happens, on the terminal: plain lines, those of a run behind its bar.

The line that a run begins with is held back for a moment. If the run succeeds within that, and
nothing was shown since, all of it is one line.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, assert_never

from devbridge.daemon import lines
from devbridge.daemon.after_requests import AfterRequests
from devbridge.daemon.broken_jobs import BrokenJobs
from devbridge.daemon.log_files import log_path
from devbridge.daemon.request_listener import RequestListener, in_mood
from devbridge.daemon.terminal import Terminal
from devbridge.daemon.told import (
    Answered,
    AppBroken,
    Arrived,
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
    Requested,
    Restless,
    Said,
    Short,
    Stopping,
    Told,
    TriedAgain,
    Waits,
    Who,
)
from devbridge.daemon.waiting_runs import WaitingRuns
from devbridge.daemon.worker_output import WorkerOutput
from devbridge.daemon.wrapping import columns
from devbridge.palette import Style, Turns
from devbridge.runs.model import State

HELD: Final = 0.15
"""Seconds for which a line is held that more may be said in."""


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
        self._bars = lines.Bars()
        self._colour = Turns()
        self._outputs: dict[str, WorkerOutput] = {}
        """By the worker's id."""
        self._last_reload: tuple[list[str], int] = [], 0
        """What was told last to be loaded again, and the terminal's number of that."""
        self._broken = BrokenJobs(terminal, root, self._style, self._hold)
        self._waiting = WaitingRuns(self._waits)
        self._after = AfterRequests(self._show)
        self._requests = RequestListener(
            terminal, root, self._style, self._bar_of_function, held=self._after.held
        )

    def on(self, event: Told) -> None:
        """Show what has happened."""
        if not self._after.keeps(event):
            self._show(event)

    def _show(self, event: Told) -> None:
        match event:
            case Began(who):
                self._waiting.left(who.job_id)
            case NeverStarted(change) | HandedOver(change):
                self._waiting.left(change.job_id)
            case _:
                pass
        match event:
            case Requested() | Answered():
                self._requests.on(event)
            case Printed() | Remarked() | Noted() | Gone() if event.who.function:
                self._requests.on(event)
            case Printed() | Began() | Stopping() | Remarked() | Noted() | Ended() | Gone():
                self._on_worker(event)
            case NeverStarted() | Interrupted() | FunctionPrinted():
                self._lines(self._bar(event), *self._of_no_worker(event))
            case Waits():
                self._waiting.wait(event)
            case Broken() | Deployed() | Reloaded():
                self._on_code(event)
            case TriedAgain() | Restless() | Short() | AppBroken() | Said():
                self._terminal.line(self._of_no_run(event))
            case Arrived() | HandedOver() | Held():
                pass  # who takes the stage over is told in one sentence, not for each run
            case _:
                assert_never(event)

    def _on_code(self, event: Broken | Deployed | Reloaded) -> None:
        match event:
            case Broken(job, failure, worker_id, new):
                if output := self._outputs.get(worker_id):
                    output.flush()
                if new:
                    self._broken.broke(job, failure)
            case Deployed(jobs, functions):
                self._bars = lines.Bars.of(jobs, functions)
            case Reloaded():
                self._broken.loaded(event.job)
                self._reloaded(event)

    def _reloaded(self, event: Reloaded) -> None:
        """One save may concern many: they are told of together, if they do not take long."""
        names, held = self._last_reload
        told = [*names, event.job] if names and self._terminal.take_back(held) else [event.job]
        text = lines.reloaded(told, event.seconds, self._style)
        if event.more:
            self._last_reload = told, self._hold([text], 0)
        else:
            self._last_reload = [], 0
            self._terminal.line(text)

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

    def _ended(self, event: Ended, output: WorkerOutput) -> None:
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

    def _output(self, who: Who) -> WorkerOutput:
        output = self._outputs.get(who.worker_id)
        if output is None:
            bar = self._bars.job(who.job, self._style)
            output = self._outputs[who.worker_id] = WorkerOutput(
                self._terminal, bar, self._after.clock
            )
        return output

    def _waits(self, event: Waits, count: int) -> None:
        bar = self._bar_of_run(event.job_id, event.job)
        if count > 1:
            bar = self._bars.job(event.job, self._style)
        self._lines(bar, lines.waits(event, count, self._style))

    def _lines(self, bar: str, *texts: str) -> None:
        for text in texts:
            self._terminal.line(bar + text, hang=columns(bar) + lines.WORD)

    def _bar(self, event: NeverStarted | Interrupted | FunctionPrinted) -> str:
        if isinstance(event, FunctionPrinted):
            return self._bar_of_function(event.function)
        return self._bar_of_run(event.run.job_id, event.run.job)

    def _bar_of_function(self, function: str) -> str:
        return self._bars.function(function, self._style, self._colour(function))

    def _bar_of_run(self, job_id: str, job: str) -> str:
        return self._bars.run(job_id, job, self._style, self._colour(job_id))

    def _of_no_worker(self, event: NeverStarted | Interrupted | FunctionPrinted) -> Iterator[str]:
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
            case FunctionPrinted(_, said):
                for each in said:
                    yield from lines.of_function(each, self._root, style)

    def _of_no_run(self, event: TriedAgain | Restless | Short | AppBroken | Said) -> str:
        style = self._style
        match event:
            case TriedAgain(job, pause):
                return lines.tried_again(job, pause, style)
            case Restless(job, path):
                return lines.restless(job, path, style)
            case Short(reason):
                return lines.short(reason, style)
            case AppBroken(error):
                return lines.app_broken(error, style)
            case Said(text, mood):
                return self._in_mood(text, mood)

    def _in_mood(self, text: str, mood: Mood) -> str:
        return in_mood(text, mood, self._style)
