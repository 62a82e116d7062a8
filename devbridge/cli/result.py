"""`devbridge result`: what a run returned, for pipes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from devbridge import printable
from devbridge.cli.common import app_options
from devbridge.cli.runs import run_options, stage_runs, wait_for
from devbridge.errors import JobFailed, JobNotFinished

if TYPE_CHECKING:
    from devbridge.config import Config
    from devbridge.runs.base import RunRecord


@click.command(
    epilog="""\b
Examples:
  devbridge result 3f2a              # the beginning of the id is enough
  devbridge result 3f2a --wait | jq .total
"""
)
@run_options
@click.option("--wait", is_flag=True, help="Wait for the run's end.")
@app_options
def result(config: Config, *, job_id: str, job: str | None, wait: bool) -> None:
    """Print what a run returned, as JSON alone.

    A run that has no result is an error on stderr, with the exit code of `devbridge wait`: 20
    FAILED, 21 CANCELLED, 22 TIMED_OUT, 23 CRASHED; 24 when it has not ended. JOB_ID is a run's id
    or an unambiguous beginning of it.
    """
    with stage_runs(config) as runs:
        run = runs.find(job_id, job)
        record = wait_for(run, None) if wait else run.refresh(result=True)
        shown = runs.mentioned(record.job_id)
    click.echo(printable.in_json(_text(record, shown)))


def _text(record: RunRecord, shown: str) -> str:
    """The JSON text that a run returned.

    Args:
        shown: what the run is called in a command.

    Raises:
        JobNotFinished: it has not ended.
        JobFailed: it has ended without a result.
    """
    from devbridge.runs.waiting import result_of

    try:
        return result_of(record).decode("utf-8", "surrogatepass")
    except JobNotFinished as error:
        error.remedy = f"wait for it: devbridge result {shown} --wait"
        raise
    except JobFailed as error:
        error.remedy = f"see all that is known of it: devbridge status {shown}"
        raise
