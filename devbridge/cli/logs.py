"""`devbridge logs`: what a run has printed, byte for byte."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from devbridge.cli.common import app_options, daemon_runs, ledger
from devbridge.cli.text import iso
from devbridge.errors import UnknownRun

if TYPE_CHECKING:
    from devbridge.config import Config
    from devbridge.daemon.ledger import Entry, Ledger

CHUNK: Final = 1 << 16
POLL: Final = 0.2
"""Seconds between two looks at the ledger; growth of the file is noticed at once."""
LATE: Final = 15.0
"""Seconds after a run's end for which its last output is waited for."""

NOBODY: Final = "the run is {}, and no `devbridge dev` is here to go on with it: waiting for one"


def find_run(book: Ledger, prefix: str) -> Entry:
    """The one run whose id begins so, as git finds a commit.

    Raises:
        UnknownRun: there is none, or more than one.
    """
    found = book.find(prefix.lower()) if prefix else []
    if not found:
        raise UnknownRun(
            f"no run has an id that begins with {prefix!r}", remedy="see `devbridge jobs`"
        )
    if len(found) > 1:
        listed = "\n".join(
            f"    {entry.job_id}  {entry.job}  {entry.state}  {iso(entry.created_at)}"
            for entry in found
        )
        raise UnknownRun(
            f"{len(found)} runs have an id that begins with {prefix!r}:\n{listed}",
            remedy="give more of the id",
        )
    return found[0]


def log_file(config: Config, entry: Entry) -> Path:
    """Where a run's output is, also when the app's folder was moved since."""
    return config.logs_dir / Path(entry.log_path).name


def copy(log: int, write: Callable[[bytes], object]) -> int:
    """Write what the log has from here to its end; returns the number of bytes."""
    copied = 0
    while chunk := os.read(log, CHUNK):
        write(chunk)
        copied += len(chunk)
    return copied


def open_parts(path: Path, *, after: int | None = None) -> list[int]:
    """The files of a log, the oldest part first, open for reading: one, or two when the daemon has
    rotated it. With `after`, a file that was one of them, only those that came after it.

    Nothing is missed or there twice when the daemon rotates just now: the newer file is opened
    first, and an open file keeps its identity.
    """
    from devbridge.config import rotated_log  # noqa: PLC0415

    parts: list[int] = []
    for file in (path, rotated_log(path)):
        try:
            part = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        known = [*parts, *([] if after is None else [after])]
        if any(os.path.sameopenfile(part, one) for one in known):
            os.close(part)
            break
        parts.insert(0, part)
    return parts


def follow(path: Path, current: Callable[[], Entry], write: Callable[[bytes], object]) -> Entry:
    """Copy a log while it grows, until its run has ended and all of it is written."""
    log: int | None = None
    newer: list[int] = []
    changes: Iterator[object] = iter(())
    ended: float | None = None
    try:
        while True:
            entry = current()  # before the copy: what a closed log has, the copy will find
            newer = open_parts(path, after=log)
            if log is not None:  # only now: a file that has a successor does not grow any more
                copy(log, write)
            for part in [*newer]:
                if log is not None:
                    os.close(log)
                log = newer.pop(0)
                copy(part, write)
                changes = _changes(path)
            if entry.state.final:
                ended = ended or time.monotonic()
                if entry.closed or time.monotonic() - ended > LATE:
                    return entry
            if next(changes, None) is None:
                time.sleep(POLL)
    finally:
        for part in (*newer, *([] if log is None else [log])):
            os.close(part)


def _changes(path: Path) -> Iterator[object]:
    """Something each time that the file has grown, and every `POLL` seconds."""
    from watchfiles import watch  # noqa: PLC0415 - only --follow needs it

    with contextlib.suppress(FileNotFoundError):  # rotated just now
        yield from watch(
            path,
            watch_filter=None,
            debounce=50,
            step=5,
            rust_timeout=int(POLL * 1000),
            yield_on_timeout=True,
        )


@click.command(
    epilog="""\b
Examples:
  devbridge logs 3f2a                # the beginning of the id is enough
  devbridge logs 3f2a --follow       # until the run ends
"""
)
@click.argument("job_id")
@click.option("-f", "--follow", "follow_", is_flag=True, help="Go on until the run has ended.")
@app_options
def logs(config: Config, job_id: str, follow_: bool) -> None:
    """Print what a run has printed, byte for byte.

    JOB_ID is a run's id or an unambiguous beginning of it, as `devbridge jobs` shows it.
    """

    def write(chunk: bytes) -> None:
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()

    with ledger(config) as book:
        if book is None:
            raise UnknownRun(
                "no job has been run here yet",
                where=str(config.ledger),
                remedy="start `devbridge dev`, then `devbridge invoke NAME`",
            )
        entry = find_run(book, job_id)
        path = log_file(config, entry)
        if follow_:
            if not entry.state.final and not daemon_runs(config):
                click.echo(NOBODY.format(entry.state), err=True)
            follow(path, lambda: book.get(entry.job_id) or entry, write)
            return
    parts = open_parts(path)
    if not parts and entry.state.final:
        raise UnknownRun("the run's log file is gone", where=str(path), remedy="run the job again")
    if not parts:
        click.echo(f"{entry.job} is {entry.state}: nothing printed yet", err=True)
    try:
        for part in parts:
            copy(part, write)
    finally:
        for part in parts:
            os.close(part)
