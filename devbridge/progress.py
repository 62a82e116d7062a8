"""The last line of a terminal, which says how far what takes time has come.

It is rewritten in place, and nothing is left of it. All else that reaches the terminal goes above
it: through `devbridge.printable.Printer` or the daemon's `Terminal`, which both ask for `above`.
Where there is no terminal, or a dumb one, nothing is shown.

By hand: `click.progressbar` knows nothing of lines that others print meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final, Literal, TextIO

from devbridge.palette import dumb
from devbridge.printable import one_line

Unit = Literal["", "bytes", "packages"]

PATIENCE: Final = 1.0
"""Seconds that something must take to be shown."""
_TICK: Final = 0.1
"""Seconds between looks at what is to be shown."""
_BAR: Final = 20
"""Characters."""
_SPARE: Final = 3
"""Columns that stay free: the cursor's, and those of the ``^C`` that a terminal echoes."""
_ERASE: Final = "\r\x1b[K"
_UNITS: Final = (("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10), ("bytes", 1))


class Task:
    """Something that takes time. Its methods may be called from any thread.

    Args:
        verb: what is done, e.g. ``upload``.
        what: to what.
        total: how much there is to do; 0: nobody knows.
        unit: of the total; without one, what is done is counted, and no bar is drawn.
        began: by the monotonic clock.
    """

    def __init__(self, verb: str, what: str, total: int, unit: Unit, began: float) -> None:
        self.verb = verb
        self.what = what
        self.total = total
        self.unit: Final = unit
        self.began: Final = began
        self.since = began
        """When what is named now has begun."""
        self.done = 0
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        """So much more is done."""
        with self._lock:
            self.done += count

    def text(self, now: float) -> str:
        """How far it has come, as the terminal shows it; "" as long as it need not be shown."""
        if now - self.began < PATIENCE:
            return ""
        parts = []
        if self.unit and self.total:
            filled = min(self.done, self.total) * _BAR // self.total
            parts.append(f"[{'#' * filled}{'-' * (_BAR - filled)}]")
        if self.total:
            parts.append(self._counted())
        parts.append(self.what)
        if (seconds := int(now - self.since)) >= 1:
            parts.append(f"{seconds}s")
        return f"  {self.verb:<8} {'  '.join(parts)}"

    def _counted(self) -> str:
        done, total, unit = self.done, self.total, self.unit
        if unit != "bytes":
            return f"{done:,} of {total:,} {unit}".rstrip()
        name, scale = next(each for each in _UNITS if total >= each[1])
        digits = 0 if scale == 1 else 1
        return f"{done / scale:.{digits}f} of {total / scale:.{digits}f} {name}"


class ProgressLine:
    """A terminal's last line.

    Args:
        clock: the monotonic clock.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._stream: TextIO | None = None
        self._lock = threading.RLock()
        self._tasks: list[Task] = []
        self._shown = ""
        self._ticker: threading.Thread | None = None
        self._begins = True
        """Whether the cursor is where a line begins."""

    def attach(self, stream: TextIO) -> bool:
        """Show on this stream from now on, if it is a terminal that can; whether it is."""
        if dumb() or not stream.isatty():
            return False
        self._stream = self._stream or stream
        return True

    @property
    def shows(self) -> bool:
        """Whether there is a terminal to show on."""
        return self._stream is not None

    def detach(self) -> None:
        """Show nothing from now on."""
        with self._lock:
            self._erase()
            self._stream = None
            self._begins = True

    @contextlib.contextmanager
    def task(self, verb: str, what: str, total: int = 0, unit: Unit = "") -> Iterator[Task]:
        """Show how far it has come while the block runs; of several tasks, the one begun last."""
        task = Task(verb, what, total, unit, self._clock())
        with self._lock:
            self._tasks.append(task)
            if self._stream is not None and self._ticker is None:
                self._ticker = threading.Thread(target=self._tick, name="progress", daemon=True)
                self._ticker.start()
        try:
            yield task
        finally:
            with self._lock:
                self._tasks.remove(task)
                if not self._tasks:
                    self._erase()

    @contextlib.contextmanager
    def above(self, *, whole: bool) -> Iterator[None]:
        """Let the block write above the line.

        Args:
            whole: what it writes ends with a newline. If not, nothing is shown until one does.
        """
        with self._lock:
            self._erase()
            yield
            self._begins = whole
            self.draw()

    def entered(self) -> None:
        """Somebody has pressed Enter, which a terminal shows by itself."""
        with self._lock:
            self._begins = True

    def draw(self) -> None:
        """Show how far the task has come by now."""
        with self._lock:
            if self._stream is None or not self._begins or not self._tasks:
                return
            text = one_line(self._tasks[-1].text(self._clock()))[: self._width()]
            if text != self._shown:
                self._write(f"{_ERASE}{text}")
                self._shown = text

    def _erase(self) -> None:
        if self._shown:
            self._write(_ERASE)
            self._shown = ""

    def _write(self, text: str) -> None:
        if self._stream is not None:
            with contextlib.suppress(OSError, ValueError):  # it has gone: who prints is told
                self._stream.write(text)
                self._stream.flush()

    def _width(self) -> int:
        try:
            columns = os.get_terminal_size(self._stream.fileno() if self._stream else 1).columns
        except (OSError, ValueError):
            columns = 0
        return max((columns or 80) - _SPARE, 1)

    def _tick(self) -> None:
        while True:
            with self._lock:
                if not self._tasks or self._stream is None:
                    self._ticker = None
                    return
                self.draw()
            time.sleep(_TICK)


LINE: Final = ProgressLine()
"""That of this process's terminal; the command line attaches it."""
task = LINE.task
