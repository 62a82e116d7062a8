"""What workers print: one pipe each, read to the run's log file as it came and to the terminal.

The log file gets the bytes unchanged. The terminal gets whole lines with the run's bar and the
time: colours, but nothing else that a terminal obeys (see `devbridge.printable`), undecodable bytes
as ``\\xff``, the last state of a progress bar, and a line without an end after a moment.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from devbridge import printable
from devbridge.daemon import lines
from devbridge.daemon.terminal import Terminal
from devbridge.folders import rotated_log

CHUNK: Final = 256 * 1024
LONGEST_LINE: Final = 64 * 1024
"""Characters after which the terminal shows a line that has not ended, in pieces."""
PARTIAL_DELAY: Final = 0.25
"""Seconds of silence after which a line that has not ended is shown."""
LONGEST_PARTIAL: Final = 2.0
"""Seconds after which it is shown though it still grows, as a progress bar does."""
MAX_LOG: Final = 64 * 1024 * 1024
"""Bytes of one run's log, by default; the oldest are given up."""
KEPT: Final = 64 * 1024
"""Bytes of what is printed before a run begins that are kept, the newest."""
LEFT_OVER: Final = 1024 * 1024
"""Bytes that a pipe may hold at most (Linux's pipe-max-size)."""


def log_path(folder: Path, job: str, job_id: str) -> Path:
    """Where a run's output is kept."""
    return folder / f"{job}-{job_id}.log"


class LogFile:
    """A run's log, mode 0600, and the part before it, `rotated_log(path)`, when it has grown large.

    Together they never have more than `limit` bytes: the newest are kept. A full disk is reported
    once; the run goes on.
    """

    def __init__(
        self,
        path: Path,
        on_error: Callable[[str], None],
        *,
        limit: int = MAX_LOG,
        on_rotate: Callable[[str], None] | None = None,
    ) -> None:
        """`on_error` and `on_rotate` are each told once, in words for the terminal."""
        self._path = path
        self._on_error = on_error
        self._on_rotate = on_rotate
        self._limit = limit
        self._half = max(limit // 2, 1024)
        self._size = 0
        self._fd: int | None = None
        try:
            self._open()
        except OSError as error:
            self._fail(error)

    def write(self, data: bytes) -> None:
        if self._fd is None:
            return
        try:
            view = memoryview(data)
            while len(view) > self._half - self._size:
                room = max(0, self._half - self._size)
                cut = bytes(view[:room]).rfind(b"\n") + 1
                if cut == 0 and self._size <= len(self._seam()):
                    cut = room  # a line that is longer than a file
                self._append(view[:cut])
                view = view[cut:]
                self._rotate()
            self._append(view)
        except OSError as error:
            self._fail(error)

    def close(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            with contextlib.suppress(OSError):  # a network file system may say now that it is full
                os.close(fd)

    def _open(self) -> None:
        self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._size = os.fstat(self._fd).st_size  # an earlier attempt has written to it

    def _append(self, view: memoryview) -> None:
        assert self._fd is not None  # noqa: S101 - narrows the type
        while view:
            count = os.write(self._fd, view)
            self._size += count
            view = view[count:]

    def _rotate(self) -> None:
        self.close()
        self._path.replace(rotated_log(self._path))
        self._open()
        self._append(memoryview(self._seam()))
        if self._on_rotate is not None:
            tell, self._on_rotate = self._on_rotate, None
            tell(
                f"the log is over {_mib(self._half)}: what came before is in"
                f" {rotated_log(self._path).name}, and only the newest {_mib(self._limit)} are kept"
            )

    def _seam(self) -> bytes:
        return (
            f"--- devbridge: rotated here; of this log the newest {_mib(self._limit)} are kept\n"
        ).encode()

    def _fail(self, error: OSError) -> None:
        self.close()
        self._on_error(f"the log file cannot be written: {error.strerror}; the run goes on without")


def _mib(count: int) -> str:
    return f"{count / (1 << 20):g} MiB"


class Lines:
    """Turns a stream of bytes into whole, tagged lines. Pure but for what it remembers."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self._partial = ""
        self._suspicious = False
        """Something came, not shown yet, that is not shown as it is."""

    @property
    def pending(self) -> bool:
        return bool(self._partial)

    def feed(self, data: bytes, tag: str) -> str:
        """The lines that `data` completes, each behind `tag`, with newlines; or nothing."""
        suspicious = self._suspicious or printable.suspicious(data)
        text = self._partial + self._decoder.decode(data)
        cut = text.rfind("\n") + 1
        if len(text) - cut > LONGEST_LINE:
            cut = len(text)
        self._partial = text[cut:]
        # The decoder may hold the beginning of a character.
        held = bool(self._decoder.getstate()[0])
        self._suspicious = held or (suspicious and bool(self._partial))
        return _tagged(text[:cut], tag, suspicious=suspicious)

    def flush(self, tag: str) -> str:
        """What has no end yet, as a line. A colour of which only a part has come is kept back."""
        cut = printable.cut_colour(self._partial)
        text, self._partial = self._partial[:cut], self._partial[cut:]
        return _tagged(text, tag, suspicious=self._suspicious)

    def end(self, tag: str) -> str:
        """What is left when nothing more will come, though it may end within a character."""
        text, self._partial = self._partial + self._decoder.decode(b"", final=True), ""
        return _tagged(text, tag, suspicious=self._suspicious)


def _tagged(text: str, tag: str, *, suspicious: bool) -> str:
    if not text:
        return ""
    if "\r" in text:
        text = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    if suspicious:
        text = printable.shown(text)
    if not text.endswith("\n"):
        text += "\n"
    # All but the last newline begin another line; each copy of the text counts here.
    return tag + text.replace("\n", "\n" + tag, text.count("\n") - 1)


class Capture:
    """One worker's output, from its start to the pipe's end. Lives in the event loop's thread."""

    def __init__(self, fd: int, terminal: Terminal, bar: str) -> None:
        os.set_blocking(fd, False)
        self._fd = fd
        self._terminal = terminal
        self._loop = asyncio.get_running_loop()
        self._lines = Lines()
        self._bar = bar
        self._log: LogFile | None = None
        self._printed = b""
        self._began: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._show_by: float | None = None
        self._closed = False
        self.ended = asyncio.Event()
        """Set when everything that was printed is in the log and on its way to the terminal."""
        self._loop.add_reader(fd, self._readable)

    def begin(self, bar: str) -> None:
        """From now on the output belongs to a run."""
        self._read_available()
        self._flush()
        self._bar, self._began = bar, time.monotonic()

    def keep(self, log: LogFile) -> None:
        """From now on the output goes to a log file, too."""
        self._log, self._printed = log, b""

    def printed(self) -> bytes:
        """What was printed before a run began: of a load that failed, its log."""
        self._read_available()
        return self._printed

    def say(self, text: str) -> None:
        """A line of devbridge's own among the output, behind the same bar."""
        self._show(self._lines.flush(self._tag()))
        self._terminal.line(self._bar + text)

    def log(self, data: bytes) -> None:
        """Add to the log file only."""
        if self._log is not None:
            self._log.write(data)

    def finish(self) -> None:
        """Take what is there and stop reading, though somebody may still hold the pipe."""
        if self._closed:
            return
        self._read_available()
        self._close()

    def _readable(self) -> None:
        try:
            data = os.read(self._fd, CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._close()
            return
        self._take(data)
        if self._terminal.when_drained(self._resume_soon):
            self._loop.remove_reader(self._fd)

    def _take(self, data: bytes) -> None:
        if self._log is not None:
            self._log.write(data)
        else:
            self._printed = (self._printed + data)[-KEPT:]
        lines = self._lines.feed(data, self._tag())
        self._show(lines)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if lines or not self._lines.pending:
            self._show_by = None
        if self._lines.pending:
            now = self._loop.time()
            self._show_by = self._show_by or now + LONGEST_PARTIAL
            self._timer = self._loop.call_at(min(now + PARTIAL_DELAY, self._show_by), self._flush)

    def _read_available(self) -> None:
        """Take what the pipe holds now, and no more: somebody may print for ever."""
        left = 0 if self._closed else LEFT_OVER
        with contextlib.suppress(OSError):
            while left > 0 and (data := os.read(self._fd, min(CHUNK, left))):
                left -= len(data)
                self._take(data)

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._show_by = None
        self._show(self._lines.flush(self._tag()))

    def _tag(self) -> str:
        if self._began is None:
            return self._bar
        return self._bar + lines.elapsed(time.monotonic() - self._began)

    def _show(self, text: str) -> None:
        if text:
            self._terminal.write(text.encode("utf-8", "backslashreplace"))

    def _resume_soon(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
            self._loop.call_soon_threadsafe(self._resume)

    def _resume(self) -> None:
        if not self._closed:
            self._loop.add_reader(self._fd, self._readable)

    def _close(self) -> None:
        self._closed = True
        self._loop.remove_reader(self._fd)
        os.close(self._fd)
        self._flush()
        self._show(self._lines.end(self._tag()))
        self.ended.set()

    def release(self) -> None:
        """Close the log file: nothing more belongs to the run."""
        if self._log is not None:
            self._log.close()
            self._log = None
