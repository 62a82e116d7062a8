"""The requests of live functions, on the terminal: a line each, and below it what was printed.

A request that is over soon is shown when it is over; one that takes longer, and what it prints, as
it goes on. Of requests that only ask whether somebody is there, again and again, the first is
shown, and later how many more there were.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from devbridge.daemon import lines, requests
from devbridge.daemon.told import Answered, Gone, Mood, Noted, Printed, Remarked, Requested, Who
from devbridge.daemon.worker_output import Screen, WorkerOutput
from devbridge.daemon.wrapping import columns
from devbridge.failures import details
from devbridge.palette import Style

SHORT: Final = 0.25
"""Seconds for which a request may go on before it is shown that it does."""
MOST_HELD: Final = 64 * 1024
"""Bytes of output that are held back for it."""
FOLDED: Final = 30.0
"""Seconds after which it is said how many requests were not shown."""
_QUIET: Final = ("GET ", "HEAD ")


class RequestListener:
    """Shows what is told of live functions' workers and requests.

    Args:
        root: the app's folder.
        bar: what every line of a function begins with.
        held: is told which requests are not shown yet, by their ids, after each event.
    """

    def __init__(
        self,
        terminal: Screen,
        root: Path,
        style: Style,
        bar: Callable[[str], str],
        *,
        held: Callable[[Set[str]], None],
    ) -> None:
        self._terminal = terminal
        self._root = root
        self._style = style
        self._bar = bar
        self._tell_held = held
        self._shown: dict[str, _Shown] = {}
        """By the worker's id."""
        self._folds: dict[str, _Fold] = {}
        """Of each function, the last request if that was a quiet one."""

    def on(self, event: Printed | Remarked | Noted | Gone | Requested | Answered) -> None:
        """Show what has happened."""
        self._on(event)
        self._held_now()

    def _on(self, event: Printed | Remarked | Noted | Gone | Requested | Answered) -> None:
        match event:
            case Requested(who, what):
                self._of(who).begin(who.job_id, lambda: self._goes_on(who, what))
            case Printed(who, data):
                shown = self._of(who)
                if not shown.held:
                    self._unfold(who.job)
                shown.output.printed(requests.printed(data))
                shown.screen.limit()
            case Remarked(who, text, mood):
                self._unfold(who.job)
                self._of(who).output.say(in_mood(text, mood, self._style))
            case Noted(who, text):
                self._of(who).output.say(self._style.warn(text))
            case Answered():
                self._answered(event)
            case Gone(who):
                if gone := self._shown.pop(who.worker_id, None):
                    gone.end()

    def _goes_on(self, who: Who, what: str) -> None:
        self._unfold(who.job)
        self._of(who).goes_on(what)
        self._held_now()

    def _held_now(self) -> None:
        self._tell_held({each.request for each in self._shown.values() if each.held})

    def _of(self, who: Who) -> _Shown:
        shown = self._shown.get(who.worker_id)
        if shown is None:
            shown = _Shown(self._terminal, self._bar(who.job))
            if who.worker_id:
                self._shown[who.worker_id] = shown
        return shown

    def _answered(self, event: Answered) -> None:
        function, style, failure = event.who.job, self._style, event.failure
        shown = self._of(event.who)
        if not event.who.worker_id and failure is not None:
            self._unfold(function)
            shown.output.say(requests.refused(event.what, failure, style))
            return
        shown.output.flush()
        if self._folds_into(event, shown):
            shown.forget()
            return
        self._unfold(function)
        line = requests.over(event.what, event.how, event.mood, event.seconds, failure, style)
        shown.over(line)
        if failure is not None:
            for text in (*lines.error(failure, style), *details(failure, self._root)):
                shown.output.say(text)
        elif self._is_quiet(event):
            self._folds[function] = _Fold(event.what, event.how)

    # --- quiet ones -------------------------------------------------------------------------

    def _is_quiet(self, event: Answered) -> bool:
        return event.mood is Mood.GOOD and event.what.startswith(_QUIET)

    def _folds_into(self, event: Answered, shown: _Shown) -> bool:
        """Whether the request is like the one before it, and need not be shown."""
        fold = self._folds.get(event.who.job)
        if fold is None or not self._is_quiet(event) or not shown.held or shown.screen.kept:
            return False
        if (fold.what, fold.how) != (event.what, event.how):
            return False
        fold.count += 1
        if fold.timer is None:
            loop = asyncio.get_running_loop()
            fold.timer = loop.call_later(FOLDED, self._say_more, event.who.job, fold)
        return True

    def _unfold(self, function: str) -> None:
        """Something else is shown of the function."""
        if fold := self._folds.pop(function, None):
            self._say_more(function, fold)

    def _say_more(self, function: str, fold: _Fold) -> None:
        if fold.timer is not None:
            fold.timer.cancel()
            fold.timer = None
        if fold.count:
            bar = self._bar(function)
            self._terminal.line(bar + requests.more(fold.count, fold.what, fold.how, self._style))
            fold.count = 0


@dataclass(slots=True)
class _Fold:
    """A quiet request, and how many like it were not shown since."""

    what: str
    how: str
    count: int = 0
    timer: asyncio.TimerHandle | None = None


class _Held:
    """A screen that keeps what it is given until that may be shown (`Screen`)."""

    def __init__(self, terminal: Screen) -> None:
        self._terminal = terminal
        self.holds = False
        self.kept: list[Callable[[], None]] = []
        self._size = 0
        self.full: Callable[[], None] = lambda: None
        """Called when that is more than is held."""

    @property
    def width(self) -> int:
        return self._terminal.width

    def line(self, text: str = "", *, hang: int = 0) -> None:
        self._do(len(text), lambda: self._terminal.line(text, hang=hang))

    def write(self, data: bytes) -> None:
        self._do(len(data), lambda: self._terminal.write(data))

    def take_back(self, number: int) -> bool:
        return self._terminal.take_back(number)

    def pass_by(self, text: str) -> None:
        self._terminal.pass_by(text)

    def _do(self, size: int, show: Callable[[], None]) -> None:
        if not self.holds:
            show()
            return
        self.kept.append(show)
        self._size += size

    def limit(self) -> None:
        """Hold no more than may be."""
        if self._size > MOST_HELD:
            self.full()

    def release(self) -> None:
        """Show what was kept, and what comes from now on."""
        kept, self.kept, self._size, self.holds = self.kept, [], 0, False
        for show in kept:
            show()


class _Shown:
    """What is shown of one worker."""

    def __init__(self, terminal: Screen, bar: str) -> None:
        self.request = ""
        self.screen = _Held(terminal)
        self.output = WorkerOutput(self.screen, bar)
        self._bar = bar
        self._line: Callable[[str], None] = lambda text: terminal.line(
            bar + text, hang=columns(bar) + lines.WORD
        )
        self._timer: asyncio.TimerHandle | None = None

    @property
    def held(self) -> bool:
        """Nothing of its request was shown yet."""
        return self.screen.holds

    def begin(self, request: str, goes_on: Callable[[], None]) -> None:
        """It has a request: nothing of that is shown yet.

        Args:
            request: its id.
            goes_on: is called when that takes long.
        """
        self.end()
        self.request = request
        self.output.begin(self._bar)
        self.screen.holds = True
        self.screen.full = goes_on
        self._timer = asyncio.get_running_loop().call_later(SHORT, goes_on)

    def goes_on(self, what: str) -> None:
        """Its request is shown before it is over.

        Args:
            what: it is about, in words.
        """
        self._wait_no_more()
        self._line(what)
        self.screen.release()

    def over(self, line: str) -> None:
        """Its request is over: if that was not shown yet, the line comes before the output."""
        self._wait_no_more()
        if self.held:
            self._line(line)
            self.screen.release()
        else:
            self.output.say(line)

    def forget(self) -> None:
        """Nothing is shown of its request."""
        self._wait_no_more()
        self.screen.release()

    def end(self) -> None:
        """Nothing more comes of what it has printed."""
        self._wait_no_more()
        self.screen.release()
        self.output.end()

    def _wait_no_more(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def in_mood(text: str, mood: Mood, style: Style) -> str:
    """A sentence as it is meant."""
    looks = {
        Mood.LOUD: style.bold,
        Mood.GOOD: style.good,
        Mood.WARN: style.warn,
        Mood.BAD: style.bad,
    }
    return looks.get(mood, str)(text)
