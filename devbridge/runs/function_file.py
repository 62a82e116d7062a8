"""What `devbridge dev` has kept of a function: what it printed, here or deployed, and the requests
that were handled here, each with the time at which it was over."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Generator
from pathlib import Path
from typing import Final

from devbridge.runs import logfile
from runner.outcome import NOTE

_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"
_STAMPED: Final = re.compile(
    rb"^" + re.escape(NOTE.encode()) + rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ) [^\n]*\n", re.MULTILINE
)


def request_line(text: str, at: float) -> str:
    """The line of a request that was over then (seconds since the epoch)."""
    return f"{NOTE}{time.strftime(_TIME, time.gmtime(at))} {text}\n"


def handled(path: Path) -> float | None:
    """When anything was added to it, in seconds since the epoch; None: no request is there."""
    text = b"".join(logfile.read(path))
    return _changed(path) if _STAMPED.search(text) else None


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def kept(path: Path, since: float, *, follow: bool = False) -> Generator[bytes, None, None]:
    """What is there of requests that were over then (seconds since the epoch) or later, and what
    was printed meanwhile; with `follow`, and of what is added, for ever."""
    parts = logfile.open_parts(path)
    try:
        text = b"".join(chunk for part in parts for chunk in logfile.rest_of(part))
        yield _newer(text, since) if _changed(path) >= since else b""
        while follow:
            time.sleep(logfile.LOOK)
            newer = logfile.open_parts(path, after=parts[-1] if parts else None)
            for part in [*parts[-1:], *newer]:
                yield from logfile.rest_of(part)
            parts += newer
    finally:
        for part in parts:
            os.close(part)


def _newer(text: bytes, since: float) -> bytes:
    """What follows the last request that was over before."""
    first = time.strftime(_TIME, time.gmtime(since)).encode()  # which sorts as the time does
    old = [found.end() for found in _STAMPED.finditer(text) if found[1] < first]
    return text[old[-1] if old else 0 :]
