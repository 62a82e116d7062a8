"""`devbridge jobs`: the runs of the ledger, or those in the cloud where the stage is deployed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import click

from devbridge.cli import completing
from devbridge.cli.common import app_options, print_json
from devbridge.cli.runs import stage_runs
from devbridge.cli.text import coloured, table, when
from devbridge.errors import CloudError
from devbridge.runs.model import State
from devbridge.runs.text import as_json, run_time

if TYPE_CHECKING:
    from devbridge.config import Config
    from devbridge.runs.base import Run, RunRecord

NOTHING_YET: Final = (
    "no job has been run here yet: start `devbridge dev --local`, then"
    " `devbridge invoke NAME --payload JSON`"
)
NOTHING_DEPLOYED_YET: Final = (
    "no job has been run at stage {0} yet: devbridge invoke NAME --payload JSON --stage {0}"
)


@click.command(
    epilog="""\b
Examples:
  devbridge jobs
  devbridge jobs --job factorial --state FAILED
  devbridge jobs --json | jq -r '.[0].id'
"""
)
@click.option(
    "--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many."
)
@click.option(
    "--job", metavar="NAME", help="Only the runs of this job.", shell_complete=completing.jobs
)
@click.option(
    "--state",
    type=click.Choice([state.value for state in State], case_sensitive=False),
    help="Only the runs in this state.",
)
@click.option(
    "--deployed",
    is_flag=True,
    help="The runs in the cloud, though `devbridge dev` was the last to deploy this stage.",
)
@click.option("--json", "json_", is_flag=True, help="Print JSON: a list of runs, times in UTC.")
@app_options
def jobs(
    config: Config,
    *,
    limit: int,
    job: str | None,
    state: str | None,
    deployed: bool,
    json_: bool,
) -> None:
    """List the runs of this stage, the newest first.

    They are those of `devbridge dev` in this folder; where the stage was deployed last, or dev has
    never run it here, those in the cloud.
    """
    wanted = State(state) if state else None
    with stage_runs(config) as runs:
        in_cloud = deployed or runs.is_deployed
        found = runs.recent(limit + 1, job, wanted, deployed=in_cloud)
        found, more = found[:limit], len(found) > limit
        records = [_with_result(run) if json_ else run.record for _, run in found]
        if job is not None and not found:
            runs.must_have(job)
    if json_:
        print_json([as_json(record) for record in records])
    elif found:
        now = time.time()
        shown = zip(found, records, strict=True)
        rows = [(short, *_row(record, now, run.tended())) for (short, run), record in shown]
        click.echo(table(("ID", "JOB", "STATE", "WHEN", "TOOK", "ERROR"), rows))
    elif job or state:
        click.echo("no run matches")
    else:
        click.echo(NOTHING_DEPLOYED_YET.format(config.stage) if in_cloud else NOTHING_YET)
    if more:
        click.echo(f"there are older runs than these: --limit {10 * limit}", err=True)


def _with_result(run: Run) -> RunRecord:
    """A run with its result, unless that was a large one that is not kept any more."""
    record = run.record
    if record.state is not State.SUCCEEDED or record.result is not None:
        return record
    try:
        return run.refresh(result=True)
    except CloudError as error:
        click.echo(f"{record.job_id}: {error.what}", err=True)
        return record


def _row(record: RunRecord, now: float, tended: bool) -> tuple[str, ...]:
    from runner.outcome import duration

    # Where nobody goes on with it, the next daemon will say when it has ended.
    seconds = run_time(record, now) if tended or record.state.final else None
    several = record.attempt and record.max_attempts > 1
    attempts = f" {record.attempt}/{record.max_attempts}" if several else ""
    return (
        record.job,
        coloured(record.state) + attempts,
        when(record, now),
        "-" if seconds is None else duration(seconds),
        record.failure.type if record.failure else "",
    )
