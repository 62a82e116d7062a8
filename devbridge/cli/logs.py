"""`devbridge logs`: what a run has printed."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import click

from devbridge.cli.common import app_options
from devbridge.cli.runs import NOBODY, stage_runs
from devbridge.failures import in_full
from devbridge.printable import Cleaner, continued

if TYPE_CHECKING:
    from pathlib import Path

    from devbridge.config import Config
    from devbridge.runs.base import RunRecord


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

    printed = False
    with _writer(raw=raw) as write, stage_runs(config) as runs:
        run = runs.find(job_id)
        if follow_ and not run.record.state.final and not run.tended():
            click.echo(NOBODY.format(run.record.state), err=True)
        for chunk in run.output(follow=follow_, everything=all_):
            write(chunk)
            printed = True
    if not printed:
        _say_why_nothing(run.record, "" if all_ else run.printers, config.root)


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


def _say_why_nothing(record: RunRecord, printers: str, root: Path) -> None:
    """Say why there is nothing of a run in its log. `printers`: who else may have written there;
    `root`: the app's folder."""
    never = record.started_at is None or not record.log
    told = f"{record.job} is {record.state}: nothing printed yet"
    if record.state.final:
        before = " before it started" if never else ""
        told = f"{record.job} {record.state}{before}: it printed nothing"
    if printers and record.log:
        told += f"; see what {printers} says with --all"
    click.echo(told, err=True)
    if record.failure and never:
        click.echo(continued(in_full(record.failure, root)), err=True)
