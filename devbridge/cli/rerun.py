"""`devbridge rerun`: the job of a run once more, with the same payload or another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from devbridge.cli.common import app_options
from devbridge.cli.payload import check_accepted, check_json, read_payload
from devbridge.cli.runs import run_options, stage_runs, start_and_print, start_options

if TYPE_CHECKING:
    from devbridge.config import Config


@click.command(
    epilog="""\b
Examples:
  devbridge rerun 3f2a               # the beginning of the id is enough
  devbridge rerun 3f2a --wait
  devbridge rerun 3f2a --payload '{"num": 6}'
"""
)
@run_options
@click.option(
    "--payload",
    metavar="JSON|@FILE|-",
    help="Another payload: JSON text, a file, or - for stdin (default: that of the run).",
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
    no_check: bool,
    wait: bool,
    json_: bool,
) -> None:
    """Run a run's job again, with the same payload or another.

    It is a new run, at the stage that is named, whatever stage the one before was of. JOB_ID is a
    run's id or an unambiguous beginning of it.
    """
    given = None if payload is None else check_json(*read_payload(payload))
    with stage_runs(config) as runs:
        before = runs.find(job_id, job)
        name = before.record.job
        text = before.payload().decode("utf-8", "surrogatepass") if given is None else given
        if not no_check:
            check_accepted(config, name, text)
        code = start_and_print(runs, config.root, name, text, wait=wait, json_=json_)
    click.get_current_context().exit(code)
