"""`devbridge logs`: what a run has printed."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from devbridge.cli.common import app_options, daemon_runs
from devbridge.cli.runs import NOBODY, found_run
from devbridge.errors import UnknownRun
from devbridge.printable import Cleaner, continued

if TYPE_CHECKING:
    from devbridge.cli.build_logs import Stream
    from devbridge.cli.deployed import DeployedRun
    from devbridge.config import Config
    from devbridge.runs.base import RunRecord

CHUNK: Final = 1 << 16
POLL: Final = 0.2
"""Seconds between two looks at the ledger; growth of the file is noticed at once."""
LATE: Final = 15.0
"""Seconds after a run's end for which its last output is waited for."""


def log_file(config: Config, entry: RunRecord) -> Path:
    """Where a run's output is, also when the app's folder was moved since."""
    return config.logs_dir / Path(entry.log).name


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
    from devbridge.folders import rotated_log

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


def follow(
    path: Path, current: Callable[[], RunRecord], write: Callable[[bytes], object]
) -> RunRecord:
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
    from watchfiles import watch  # only --follow needs it

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
  devbridge logs 3f2a --raw          # the bytes, whatever they are
"""
)
@click.argument("job_id")
@click.option("-f", "--follow", "follow_", is_flag=True, help="Go on until the run has ended.")
@click.option(
    "--all", "all_", is_flag=True, help="Of a deployed run: what CodeBuild has printed, too."
)
@click.option("--raw", is_flag=True, help="Byte for byte, what a terminal obeys included.")
@app_options
def logs(config: Config, *, job_id: str, follow_: bool, all_: bool, raw: bool) -> None:
    """Print what a run has printed.

    Colours pass; other escape sequences and control characters, which could forge lines or take the
    terminal over, are shown as text, like \\x1b. With --raw nothing is changed.

    JOB_ID is a run's id or an unambiguous beginning of it, as `devbridge jobs` shows it. What a
    deployed run prints comes from CloudWatch Logs.
    """

    from devbridge.folders import rotated_log

    with _writer(raw=raw) as write, found_run(config, job_id) as (run, book):
        if run.build is not None:
            _print_build(run.build, write, follow_=follow_, all_=all_)
            return
        assert run.entry is not None  # noqa: S101 - not without --job
        assert book is not None  # noqa: S101 - it has the entry
        entry = run.entry
        path = log_file(config, entry)
        if follow_:
            if not entry.state.final and not daemon_runs(config):
                click.echo(NOBODY.format(entry.state), err=True)
            entry = follow(path, lambda: book.get(run.job_id) or entry, write)
        else:
            _copy_all(path, write)
    if not any(part.exists() for part in (path, rotated_log(path))):
        if entry.state.final and entry.started_at is not None:
            where = str(path)
            raise UnknownRun("the run's log file is gone", where=where, remedy="run the job again")
        _say_why_nothing(entry)


@contextlib.contextmanager
def _writer(*, raw: bool) -> Iterator[Callable[[bytes], object]]:
    """What the output goes through to stdout."""

    def write(chunk: bytes) -> None:
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()

    if raw:
        yield write
        return
    cleaner = Cleaner(write)
    try:
        yield cleaner
    finally:
        cleaner.end()


def _copy_all(path: Path, write: Callable[[bytes], object]) -> None:
    parts = open_parts(path)
    try:
        for part in parts:
            copy(part, write)
    finally:
        for part in parts:
            os.close(part)


def _say_why_nothing(entry: RunRecord) -> None:
    """Say why a run has no log."""
    if not entry.state.final:
        click.echo(f"{entry.job} is {entry.state}: nothing printed yet", err=True)
        return
    click.echo(f"{entry.job} {entry.state} before it started: it printed nothing", err=True)
    if entry.failure:
        click.echo(continued(f"{entry.failure.type}: {entry.failure.message}"), err=True)


def _print_build(
    run: DeployedRun, write: Callable[[bytes], object], *, follow_: bool, all_: bool
) -> None:
    """Print what a build has printed so far, or until it has ended."""
    from devbridge.cli import build_logs

    output = build_logs.Output(run.build.job_id, everything=all_, runner=run.job.container is None)

    def stream() -> Stream | None:
        build = run.build
        if build.log_group is None or build.log_stream is None:
            return None
        return build_logs.Stream(run.there.client("logs"), build.log_group, build.log_stream)

    if follow_:
        settle = build_logs.SETTLE_LOCAL if run.there.endpoint_url else build_logs.SETTLE
        build_logs.follow(run.refresh, stream, output, write, poll=run.poll, settle=settle)
    else:
        build_logs.copy(stream(), output, write)
    entry = run.entry
    if stream() is None or (not output.begun and not entry.state.final):
        _say_why_nothing(entry)
    elif not output.begun:
        what = f"{entry.job} is {entry.state}: nothing printed"
        click.echo(f"{what}: see what CodeBuild says with --all", err=True)
