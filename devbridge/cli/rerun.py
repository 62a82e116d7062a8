"""`devbridge rerun`: the job of a run once more, with the same payload or another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from devbridge.cli.common import app_options
from devbridge.cli.payload import check_accepted, check_json, read_payload
from devbridge.cli.runs import run_options, stage_runs, start_and_print, start_options
from devbridge.errors import NotDeployed
from devbridge.runs.find import resumes_at
from runner.triggered import let_go

if TYPE_CHECKING:
    from devbridge.config import Config


@click.command(
    epilog="""\b
Examples:
  devbridge rerun 3f2a               # the beginning of the id is enough
  devbridge rerun 3f2a --wait
  devbridge rerun 3f2a --payload '{"num": 6}'
  devbridge rerun 3f2a --fresh       # not at the checkpoint of a run that has failed
"""
)
@run_options
@click.option(
    "--payload",
    metavar="JSON|@FILE|-",
    help="Another payload: JSON text, a file, or - for stdin (default: that of the run).",
)
@click.option(
    "--fresh",
    is_flag=True,
    help="Begin at the beginning, though the run has left a checkpoint.",
)
@start_options
@click.option("--json", "json_", is_flag=True, help="Print JSON, as `devbridge invoke` does.")
@app_options
def rerun(
    config: Config,
    *,
    job_id: str,
    job: str | None,
    payload: str | None,
    fresh: bool,
    no_check: bool,
    wait: bool,
    json_: bool,
) -> None:
    """Run a run's job again, with the same payload or another.

    It is a new run, at the stage that is named, whatever stage the one before was of. With the same
    payload it begins at the last checkpoint of a run that has not succeeded, if that has left one.
    JOB_ID is a run's id or an unambiguous beginning of it.
    """
    from devbridge.daemon.lines import shorten

    given = None if payload is None else check_json(*read_payload(payload))
    with stage_runs(config) as runs:
        before = runs.find(job_id, job)
        name = before.record.job
        text = let_go(before.payload()).decode("utf-8", "surrogatepass") if given is None else given
        if not no_check:
            check_accepted(config, name, text)
        checkpoint = None if fresh or given is not None else resumes_at(before)
        if checkpoint is not None:
            where = shorten(checkpoint)
            told = f"begins at the checkpoint {where} of the run before (--fresh: does not)"
            click.echo(told, err=True)
        try:
            code = start_and_print(
                runs, config.root, name, text, checkpoint=checkpoint, wait=wait, json_=json_
            )
        except NotDeployed as error:
            say_where(error, before.record.job_id, config.stage)
            raise
    click.get_current_context().exit(code)


def stage_of(job_id: str) -> str:
    """The stage of a run in the cloud, which its id names: ``APP_STAGE_JOB:UUID``; "" of others."""
    from devbridge import names

    project, colon, _ = job_id.rpartition(":")
    return names.stage_of(project) if colon else ""


def say_where(error: NotDeployed, job_id: str, stage: str) -> None:
    """Let the error say at which stage the run before was, if it was at another one."""
    if (before := stage_of(job_id)) not in ("", stage):
        error.remedy = f"run it where it ran before, with --stage {before}; or {error.remedy}"
