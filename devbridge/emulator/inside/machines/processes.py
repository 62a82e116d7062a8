"""The processes of this machine, as Linux and macOS tell of them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

_COLUMNS: Final = "pid=,ppid=,pgid=,stat="
_DEAD: Final = "ZX"


class Process(NamedTuple):
    """One that is no zombie."""

    pid: int
    parent: int
    group: int
    environment: str = ""
    """On macOS with the command before it; empty if nobody has asked for it."""


def processes(*, environments: bool = False) -> Iterator[Process]:
    """All of them; with their environments only those of this user."""
    if not Path("/proc/self/stat").exists():
        options = ["-E", "-ww", "-o", f"{_COLUMNS},command="] if environments else ["-o", _COLUMNS]
        yield from parsed(
            subprocess.run(
                ["ps", "-A", *options],
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
            ).stdout
        )
        return
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it is gone by now, or another user's
            environment = (folder / "environ").read_bytes() if environments else b""
            # A name is cut to 15 bytes, within a character if it comes so.
            stat = (folder / "stat").read_bytes().decode("utf-8", "replace")
            state, parent, group, *_ = stat.rpartition(")")[2].split()
            if state not in _DEAD:
                text = environment.decode("utf-8", "replace")
                yield Process(int(folder.name), int(parent), int(group), text)


def parsed(listing: str) -> Iterator[Process]:
    """What ``ps`` lists: numbers, state, and the command with its environment. Pure."""
    for line in listing.splitlines():
        pid, parent, group, state, *rest = line.split(maxsplit=4)
        if state[0] not in _DEAD:
            yield Process(int(pid), int(parent), int(group), rest[0] if rest else "")
