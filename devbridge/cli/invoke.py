"""`devbridge invoke`: start a job through the stage's invoker Lambda, as the app's code does."""

from __future__ import annotations

import difflib
import sys
import time
from typing import TYPE_CHECKING, Any, Final

import click

from devbridge.cli.common import app_options, cloud, daemon_runs, ledger, print_json
from devbridge.cli.logs import NOBODY
from devbridge.cli.payload import check_json, read_payload
from devbridge.cli.text import coloured
from devbridge.daemon.model import State
from devbridge.errors import EXIT_ERROR, DevbridgeError, NotDeployed, UnknownJob

if TYPE_CHECKING:
    from devbridge.cloud.session import Cloud
    from devbridge.config import Config
    from devbridge.constructs import App, Job
    from devbridge.daemon.ledger import Entry, Ledger

POLL: Final = 0.1
"""Seconds between two looks at the ledger while `--wait` waits."""


def find_job(app: App, name: str) -> Job:
    """The app's job of that name.

    Raises:
        UnknownJob: there is none; the error lists those there are.
    """
    from devbridge.constructs import Job  # noqa: PLC0415

    jobs = {job.name: job for job in app.of_type(Job)}
    if name in jobs:
        return jobs[name]
    close = difflib.get_close_matches(name, jobs, n=1)
    raise UnknownJob(
        f"the app {app.name!r} has no job {name!r}"
        + (f"; did you mean {close[0]!r}?" if close else ""),
        where=str(app.where),
        remedy=f"use one of its jobs: {', '.join(sorted(jobs)) or 'it has none'}",
    )


def ask_invoker(
    there: Cloud, job: Job, stage: str, action: str, payload: str = "null", **fields: str
) -> dict[str, Any]:
    """Send one question to the job's invoker and return its answer.

    Raises:
        NotDeployed: the stage has no such invoker.
        PayloadTooLarge: the payload is over Lambda's limit.
        UnknownRun: no such run is known.
        InvokeError: the invoker was reached, and failed or refused.
    """
    from devbridge.deploy import names  # noqa: PLC0415
    from devbridge.job import ask  # noqa: PLC0415

    function = names.invoker(job, stage)
    client = there.client("lambda")
    try:
        return ask(client, function, job.name, action, payload, **fields)
    except client.exceptions.ResourceNotFoundException as error:
        raise NotDeployed(
            f"the job {job.name!r} is not deployed at stage {stage!r}",
            where=f"function {function}",
            remedy="deploy it: devbridge dev, or name the right --stage",
        ) from error


def wait_for(book: Ledger, job_id: str) -> Entry:
    """Return the run's entry when it has ended."""
    while True:
        entry = book.get(job_id)
        if entry is not None and entry.state.final:
            return entry
        time.sleep(POLL)


@click.command(
    epilog="""\b
Examples:
  devbridge invoke factorial --payload '{"num": 5}'
  devbridge invoke factorial --payload @payload.json --wait
  echo '{"num": 5}' | devbridge invoke factorial --payload -
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
    from devbridge.deploy.load import load_app  # noqa: PLC0415

    text = check_json(*read_payload(payload))
    job = find_job(load_app(config.root), name)
    with ledger(config) as book:
        if wait and book is None:
            raise DevbridgeError(
                "--wait follows a run in the ledger, and there is none here",
                where=str(config.ledger),
                remedy="start `devbridge dev` here, or leave --wait out",
            )
        key = {} if idempotency_key is None else {"idempotencyKey": idempotency_key}
        with cloud(config) as there:
            answer = ask_invoker(there, job, config.stage, "run", text, **key)
        job_id, state = str(answer["jobId"]), State(answer["state"])
        duplicate = bool(answer.get("duplicate"))
        if not (wait and json_):
            _print_started(job_id, name, state, duplicate=duplicate, json_=json_)
        if wait and book is not None:
            if not daemon_runs(config):
                click.echo(NOBODY.format(state), err=True)
            _print_ended(wait_for(book, job_id), json_=json_)


def _print_started(job_id: str, job: str, state: State, *, duplicate: bool, json_: bool) -> None:
    if json_:
        print_json({"id": job_id, "job": job, "state": state, "duplicate": duplicate})
        return
    before = "  (the key was used before: this is its run)" if duplicate else ""
    click.echo(f"{job_id}  {job}  {coloured(state)}{before}")
    click.echo(f"see its output: devbridge logs {job_id[:8]} --follow", err=True)
    sys.stdout.flush()


def _print_ended(entry: Entry, *, json_: bool) -> None:
    if json_:
        from devbridge.cli.jobs import as_json  # noqa: PLC0415

        print_json(as_json(entry))
    else:
        from devbridge.daemon import report  # noqa: PLC0415
        from devbridge.daemon.terminal import Style  # noqa: PLC0415

        for line in report.ended(entry, Style(True)):
            click.echo(line)
    if entry.state is not State.SUCCEEDED:
        click.get_current_context().exit(EXIT_ERROR)
