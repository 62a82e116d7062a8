"""`devbridge logs`: what a run has printed, byte for byte."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
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


def follow(path: Path, current: Callable[[], Entry], write: Callable[[bytes], object]) -> Entry:
    """Copy a log while it grows, until its run has ended and all of it is written."""
    from watchfiles import watch  # noqa: PLC0415 - only --follow needs it

    log: int | None = None
    ended: float | None = None
    try:
        while True:
            entry = current()  # before the copy: what a closed log has, the copy will find
            if log is None and path.exists():
                log = os.open(path, os.O_RDONLY)
                changes = watch(
                    path,
                    watch_filter=None,
                    debounce=50,
                    step=5,
                    rust_timeout=int(POLL * 1000),
                    yield_on_timeout=True,
                )
            if log is not None:
                copy(log, write)
            if entry.state.final:
                ended = ended or time.monotonic()
                if entry.closed or time.monotonic() - ended > LATE:
                    return entry
            if log is None:
                time.sleep(POLL)
            else:
                next(changes)
    finally:
        if log is not None:
            os.close(log)


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
    try:
        log = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        if entry.state.final:
            raise UnknownRun(
                "the run's log file is gone", where=str(path), remedy="run the job again"
            ) from None
        click.echo(f"{entry.job} is {entry.state}: nothing printed yet", err=True)
        return
    try:
        copy(log, write)
    finally:
        os.close(log)
