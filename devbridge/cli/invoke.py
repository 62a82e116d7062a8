"""`devbridge invoke`: start a job through the stage's invoker Lambda, as the app's code does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from devbridge.cli import completing
from devbridge.cli.common import app_options
from devbridge.cli.payload import check_accepted, check_json, read_payload
from devbridge.cli.runs import stage_runs, start_and_print, start_options

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
@click.argument("name", shell_complete=completing.jobs)
@click.option(
    "--payload",
    metavar="JSON|@FILE|-",
    default="null",
    help="JSON text, a file, or - for stdin; at most 6 MB (default: null).",
)
@start_options
@click.option(
    "--idempotency-key",
    metavar="KEY",
    help="With the same key no second run is started: the answer is the first one.",
)
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
@app_options
def invoke(
    config: Config,
    *,
    name: str,
    payload: str,
    no_check: bool,
    idempotency_key: str | None,
    wait: bool,
    json_: bool,
) -> None:
    """Start a job through the deployed invoker.

    NAME is the job's name in app.py. The run is started as the app's own code starts it, and its
    id printed. A payload that the job's handler would refuse is not sent.
    """
    text = check_json(*read_payload(payload))
    if not no_check:
        check_accepted(config, name, text)
    with stage_runs(config) as runs:
        code = start_and_print(
            runs, config.root, name, text, key=idempotency_key, wait=wait, json_=json_
        )
    click.get_current_context().exit(code)
