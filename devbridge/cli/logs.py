"""`devbridge logs`: what a run, or a function, has printed."""

from __future__ import annotations

import contextlib
import re
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import click

from devbridge.cli import completing
from devbridge.cli.common import app_options, loaded
from devbridge.cli.function_logs import function_named, printed
from devbridge.cli.runs import NOBODY, stage_runs
from devbridge.cli.text import coloured, duration_within, table, when
from devbridge.constructs import Function
from devbridge.constructs.values import NAME
from devbridge.errors import AppError, CloudNotRunning, NotDeployed, UnknownRun, did_you_mean
from devbridge.failures import in_full
from devbridge.printable import Cleaner, continued
from runner.outcome import duration

if TYPE_CHECKING:
    from devbridge.config import Config
    from devbridge.runs.base import RunRecord


_ID: Final = re.compile(r"[0-9a-fA-F-]+|.+:.*")
"""What may be the beginning of a run's id: app.py is not loaded for it, unless it may be the name
of a function, too."""
_WHOLE: Final = 36
"""Characters of a run's whole id."""
_LISTED: Final = 5


@click.command(
    epilog="""\b
Examples:
  devbridge logs                     # what there is
  devbridge logs 3f2a                # the beginning of a run's id is enough
  devbridge logs 3f2a --follow       # until the run ends
  devbridge logs 3f2a --raw          # the bytes, whatever they are
  devbridge logs api-start --since "10 minutes" --follow
"""
)
@click.argument(
    "target", required=False, metavar="[JOB_ID|FUNCTION]", shell_complete=completing.runs
)
@click.option("-f", "--follow", "follow_", is_flag=True, help="Go on: of a run until it has ended.")
@click.option(
    "--since",
    type=duration_within(timedelta(seconds=1), timedelta(days=3653)),
    metavar="TIME",
    help='Of a function: how far back, for example "10 minutes" (default: 1 hour).',
)
@click.option(
    "--all",
    "all_",
    is_flag=True,
    help="What the machine of a deployed run has printed, or Lambda of a function, too.",
)
@click.option("--raw", is_flag=True, help="Byte for byte, what a terminal obeys included.")
@app_options
def logs(
    config: Config,
    *,
    target: str | None,
    follow_: bool,
    since: timedelta | None,
    all_: bool,
    raw: bool,
) -> None:
    """Print what a run, or a function, has printed.

    Without a name it lists the newest runs, and the app's functions.

    Colours pass; other escape sequences and control characters, which could forge lines or take the
    terminal over, are shown as text, like \\x1b. With --raw nothing is changed.

    JOB_ID is a run's id or an unambiguous beginning of it, as `devbridge jobs` shows it. FUNCTION
    is the name of a Function, such as the api-start of a route of an Api "api" to
    api/start.handler. What functions and deployed runs print comes from CloudWatch Logs; what live
    functions do, from the log that `devbridge dev` keeps of them.
    """
    if target is None:
        _list(config)
        return
    app = None if _ID.fullmatch(target) else loaded(config, lenient=True)
    function = _called(config, target) if app is None else function_named(app, target)
    if function is None:
        try:
            _of_run(config, target, since, follow_=follow_, all_=all_, raw=raw)
            return
        except UnknownRun as error:
            if app is None:
                function = function_named(loaded(config, lenient=True), target)
            else:
                error.what += did_you_mean(target, [each.name for each in app.of_type(Function)])
                error.remedy = "see `devbridge jobs`, and for functions `devbridge logs`"
            if function is None:
                raise
    back = since or timedelta(hours=1)
    any_ = False
    with _writer(raw=raw) as write:
        for chunk in printed(config, function, back, follow=follow_, everything=all_):
            write(chunk)
            any_ = True
    if not any_:
        told = f"{function.name} has printed nothing in the last {duration(back.total_seconds())}"
        click.echo(f"{told}; --since says how far back", err=True)


def _called(config: Config, target: str) -> Function | None:
    """The function of exactly that name, which may be the beginning of a run's id as well."""
    if not NAME.fullmatch(target) or len(target) >= _WHOLE:
        return None
    try:
        functions = loaded(config, lenient=True).of_type(Function)
    except AppError:
        return None  # a run is to be had whatever is the matter with app.py
    return next((each for each in functions if each.name == target), None)


def _list(config: Config) -> None:
    """Say whose output there is."""
    try:
        with stage_runs(config) as runs:
            found = runs.recent(_LISTED, None, None, deployed=runs.is_deployed)
    except (CloudNotRunning, NotDeployed):
        found = ()
    if found:
        now = time.time()
        rows = [
            (short, run.record.job, coloured(run.record.state), when(run.record, now))
            for short, run in found
            if run.record.created_at is not None
        ]
        click.echo(table(("ID", "JOB", "STATE", "WHEN"), rows))
        if len(found) == _LISTED:
            click.echo("and earlier runs: devbridge jobs")
    else:
        click.echo("no runs yet")
    if functions := loaded(config, lenient=True).of_type(Function):
        click.echo(f"functions: {', '.join(function.name for function in functions)}")


def _of_run(
    config: Config, job_id: str, since: timedelta | None, *, follow_: bool, all_: bool, raw: bool
) -> None:
    """
    Raises:
        UnknownRun: there is no such run, or there are several.
    """
    any_ = False
    with _writer(raw=raw) as write, stage_runs(config) as runs:
        run = runs.find(job_id)
        if since is not None:
            raise click.UsageError("--since is for functions: of a run all is printed")
        if follow_ and not run.record.state.final and not run.tended():
            click.echo(NOBODY.format(run.record.state), err=True)
        for chunk in run.output(follow=follow_, everything=all_):
            write(chunk)
            any_ = True
    if not any_:
        record = run.record
        click.echo(why_nothing(record, "" if all_ else run.printers), err=True)
        if record.failure and _never_ran(record):
            click.echo(continued(in_full(record.failure, config.root)), err=True)


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


def why_nothing(record: RunRecord, printers: str, everything: str = "--all") -> str:
    """Why there is nothing of a run in its log.

    Args:
        printers: who else may have written there.
        everything: what shows what they have written.
    """
    told = f"{record.job} is {record.state}: nothing printed yet"
    if record.state.final:
        before = " before it started" if _never_ran(record) else ""
        told = f"{record.job} {record.state}{before}: it printed nothing"
    if printers and record.log:
        told += f"; see what {printers} says with {everything}"
    return told


def _never_ran(record: RunRecord) -> bool:
    return record.started_at is None or not record.log
