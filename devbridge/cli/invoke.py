"""`devbridge invoke`: start a job through the stage's invoker Lambda, as the app's code does."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from devbridge.cli.common import app_options, cloud, ledger, print_json
from devbridge.cli.payload import check_json, read_payload
from devbridge.cli.runs import Found, ask_invoker, find_job
from devbridge.cli.text import coloured
from devbridge.cli.wait import Clock, until_ended
from devbridge.errors import EXIT_ERROR
from devbridge.runs.model import State

if TYPE_CHECKING:
    from devbridge.config import Config


@click.command(
    epilog="""\b
Examples:
  devbridge invoke factorial --payload '{"num": 5}'
  devbridge invoke factorial --payload @payload.json --wait
  echo '{"num": 5}' | devbridge invoke factorial --payload -
  devbridge invoke factorial --payload '{"num": 5}' --stage prod --wait
"""
)
@click.argument("name")
@click.option(
    "--payload",
    metavar="JSON|@FILE|-",
    default="null",
    help="JSON text, a file, or - for stdin; at most 6 MB (default: null).",
)
@click.option(
    "--idempotency-key",
    metavar="KEY",
    help="With the same key no second run is started: the answer is the first one.",
)
@click.option("--wait", is_flag=True, help="Wait for the end; exit code 0 if the run SUCCEEDED.")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
@app_options
def invoke(
    config: Config, *, name: str, payload: str, idempotency_key: str | None, wait: bool, json_: bool
) -> None:
    """Start a job through the deployed invoker.

    NAME is the job's name in app.py. The run is started as the app's own code starts it, and its
    id printed.
    """
    from devbridge.cli.deployed import DeployedStage
    from devbridge.constructs.load import load_app
    from devbridge.runs.codebuild import is_build_id

    text = check_json(*read_payload(payload))
    app = load_app(config.root, config.stage)
    job = find_job(app, name)
    key = {} if idempotency_key is None else {"idempotencyKey": idempotency_key}
    with cloud(config) as there:
        answer = ask_invoker(there, job, config.stage, "run", text, **key)
        job_id, state = str(answer["jobId"]), State(answer["state"])
        duplicate = bool(answer.get("duplicate"))
        if not (wait and json_):
            _print_started(job_id, name, state, duplicate=duplicate, json_=json_)
        if not wait:
            return
        run = Found(job_id, name)
        if is_build_id(job_id):
            build = DeployedStage(there, app, config.stage).run_of(job, job_id)
            run = Found(job_id, name, build=build)
        with ledger(config) as book:
            state = until_ended(config, run, book, Clock(run, None), json_=json_)
    if state is not State.SUCCEEDED:
        click.get_current_context().exit(EXIT_ERROR)


def _print_started(job_id: str, job: str, state: State, *, duplicate: bool, json_: bool) -> None:
    if json_:
        print_json({"id": job_id, "job": job, "state": state, "duplicate": duplicate})
        return
    from devbridge.runs.codebuild import is_build_id

    before = "  (the key was used before: this is its run)" if duplicate else ""
    click.echo(f"{job_id}  {job}  {coloured(state)}{before}")
    short = job_id if is_build_id(job_id) else job_id[:8]
    click.echo(f"see its output: devbridge logs {short} --follow", err=True)
    sys.stdout.flush()
