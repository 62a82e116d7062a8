"""`devbridge wait`: until a run has ended; the exit code tells how."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from devbridge.cli.common import app_options
from devbridge.cli.runs import run_options, stage_runs, wait_and_print
from devbridge.cli.text import duration_within

if TYPE_CHECKING:
    from devbridge.config import Config


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
    "limit",  # the other one is a setting of dev's
    type=duration_within(timedelta(seconds=0), timedelta(days=30)),
    metavar="TIME",
    help='Wait no longer than, for example, "90 seconds" or "2 hours"; exit code 24 then.',
)
@click.option("--json", "json_", is_flag=True, help="Print JSON, as `devbridge jobs` does.")
@app_options
def wait(
    config: Config, *, job_id: str, job: str | None, limit: timedelta | None, json_: bool
) -> None:
    """Wait until a run has ended; the exit code tells how.

    It is 0 for SUCCEEDED, 20 FAILED, 21 CANCELLED, 22 TIMED_OUT, 23 CRASHED, and 24 when the
    timeout came first. JOB_ID is a run's id or an unambiguous beginning of it.
    """
    with stage_runs(config) as runs:
        code = wait_and_print(runs.find(job_id, job), config.root, limit, json_=json_)
    click.get_current_context().exit(code)
