"""`devbridge wait`: until a run has ended; the exit code tells how."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import click

from devbridge import errors
from devbridge.cli.common import app_options, daemon_runs, print_json
from devbridge.cli.jobs import as_json
from devbridge.cli.runs import (
    NOBODY,
    Ask,
    Found,
    answer_as_json,
    found_run,
    invoker,
    run_options,
)
from devbridge.cli.status import remote_lines
from devbridge.cli.text import duration_within
from devbridge.errors import JobNotFinished
from devbridge.palette import ALWAYS
from devbridge.runs.model import State

if TYPE_CHECKING:
    from devbridge.cli.deployed import DeployedRun
    from devbridge.config import Config
    from devbridge.runs.base import RunRecord
    from devbridge.runs.ledger_reader import LedgerReader

POLL: Final = 0.1
"""Seconds between two looks at the ledger."""
POLL_INVOKER: Final = 2.0
"""Seconds between two questions to the invoker, each of which is an invocation of a Lambda."""

EXIT_CODES: Final[Mapping[State, int]] = {
    State.SUCCEEDED: errors.EXIT_OK,
    State.FAILED: errors.EXIT_JOB_FAILED,
    State.CANCELLED: errors.EXIT_JOB_CANCELLED,
    State.TIMED_OUT: errors.EXIT_JOB_TIMED_OUT,
    State.CRASHED: errors.EXIT_JOB_CRASHED,
}


class Clock:
    """Waits between two looks, and no longer than it may."""

    def __init__(self, run: Found, timeout: timedelta | None) -> None:
        self._run = run
        self._timeout = timeout or timedelta()
        self._until = None if timeout is None else time.monotonic() + timeout.total_seconds()

    def pause(self, state: State, seconds: float) -> None:
        """
        Raises:
            JobNotFinished: the time is over.
        """
        if self._until is not None:
            left = self._until - time.monotonic()
            if left <= 0:
                from devbridge.daemon import lines

                waited = lines.duration(self._timeout.total_seconds())
                raise JobNotFinished(
                    f"the run is {state} after {waited}",
                    where=f"job {self._run.job!r}, run {self._run.job_id}",
                    remedy="wait longer, or stop it: devbridge cancel",
                )
            seconds = min(seconds, left)
        time.sleep(seconds)


def wait_local(book: LedgerReader, job_id: str, clock: Clock) -> RunRecord:
    """The run's entry when it has ended. It need not be there yet."""
    while (entry := book.get(job_id)) is None or not entry.state.final:
        clock.pause(State.QUEUED if entry is None else entry.state, POLL)
    return entry


def wait_build(build: DeployedRun, clock: Clock) -> RunRecord:
    """The run as CodeBuild knows it when it has ended."""
    entry = build.entry
    while not entry.state.final:
        clock.pause(entry.state, build.poll)
        entry = build.refresh()
    return build.whole()


def wait_remote(ask: Ask, clock: Clock) -> dict[str, Any]:
    """The invoker's answer when the run has ended."""
    while not (state := State(ask("status")["state"])).final:
        clock.pause(state, POLL_INVOKER)
    return ask("result")


def until_ended(
    config: Config, run: Found, book: LedgerReader | None, clock: Clock, *, json_: bool
) -> State:
    """Wait until a run has ended, print how, and return its last state.

    Args:
        book: the ledger that has the run, or will; None: its build or its invoker is asked.
    """
    if run.build is not None:
        entry = wait_build(run.build, clock)
    elif book is not None:
        state = run.entry.state if run.entry else State.QUEUED
        if not state.final and not daemon_runs(config):
            click.echo(NOBODY.format(state), err=True)
        entry = wait_local(book, run.job_id, clock)
    else:
        with invoker(config, run) as ask:
            answer = answer_as_json(wait_remote(ask, clock))
        if json_:
            print_json(answer)
        else:
            click.echo("\n".join(remote_lines(answer)))
        return State(answer["state"])
    _print(entry, json_=json_)
    return entry.state


@click.command(
    epilog="""\b
Examples:
  devbridge wait 3f2a                # the beginning of the id is enough
  devbridge wait 3f2a --timeout "10 minutes"
"""
)
@run_options
@click.option(
    "--timeout",
    type=duration_within(timedelta(seconds=0), timedelta(days=30)),
    metavar="TIME",
    help='Wait no longer than, for example, "90 seconds" or "2 hours"; exit code 24 then.',
)
@click.option("--json", "json_", is_flag=True, help="Print JSON, as `devbridge jobs` does.")
@app_options
def wait(
    config: Config, *, job_id: str, job: str | None, timeout: timedelta | None, json_: bool
) -> None:
    """Wait until a run has ended; the exit code tells how.

    It is 0 for SUCCEEDED, 20 FAILED, 21 CANCELLED, 22 TIMED_OUT, 23 CRASHED, and 24 when the
    timeout came first. JOB_ID is a run's id or an unambiguous beginning of it.
    """
    with found_run(config, job_id, job) as (run, book):
        known = book if run.entry is not None else None
        state = until_ended(config, run, known, Clock(run, timeout), json_=json_)
    click.get_current_context().exit(EXIT_CODES[state])


def _print(entry: RunRecord, *, json_: bool) -> None:
    if json_:
        print_json(as_json(entry))
        return
    from devbridge.daemon import lines

    for line in lines.ended(entry, ALWAYS):
        click.echo(line)
