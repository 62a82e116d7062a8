"""`devbridge invoke`: start a job through the stage's invoker Lambda, as the app's code does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from devbridge.cli import completing
from devbridge.cli.common import app_options
from devbridge.cli.payload import check_accepted, check_json, read_payload
from devbridge.cli.runs import stage_runs, start_and_print, start_options
from devbridge.cli.text import duration_within
from devbridge.later import LONGEST, moment

if TYPE_CHECKING:
    from devbridge.config import Config


def a_time(value: str) -> datetime:
    """The type of `--at`: a time of ISO 8601 with its offset from UTC."""
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise click.BadParameter(
            f"{value!r} is no time with its offset from UTC,"
            " such as 2030-01-31T08:00+01:00 or 2030-01-31T07:00Z"
        )
    return at


@click.command(
    epilog="""\b
Examples:
  devbridge invoke factorial --payload '{"num": 5}'
  devbridge invoke factorial --payload @payload.json --wait
  echo '{"num": 5}' | devbridge invoke factorial --payload -
  devbridge invoke factorial --payload '{"num": 5}' --stage prod --wait
  devbridge invoke remind --payload '"ann"' --at 2030-01-31T08:00+01:00
  devbridge invoke remind --payload '"bob"' --delay "2 hours"
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
@click.option(
    "--at",
    type=a_time,
    metavar="TIME",
    help="Start it then: 2030-01-31T08:00+01:00. The job must have later=True.",
)
@click.option(
    "--delay",
    type=duration_within(timedelta(), LONGEST),
    metavar="TIME",
    help='Start it so much later: "90 seconds", "2 hours".',
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
    at: datetime | None,
    delay: timedelta | None,
    wait: bool,
    json_: bool,
) -> None:
    """Start a job through the deployed invoker.

    NAME is the job's name in app.py. The run is started as the app's own code starts it, and its
    id printed. A payload that the job's handler would refuse is not sent. With --at or --delay it
    is SCHEDULED until then; what is over is now.
    """
    if at is not None and delay is not None:
        raise click.UsageError("give --at or --delay, not both")
    now = datetime.now(UTC)
    if at is not None and at - now > LONGEST:
        raise click.BadParameter(f"more than {LONGEST.days} days ahead", param_hint="'--at'")
    start = moment(at, delay, now)
    text = check_json(*read_payload(payload))
    if not no_check:
        check_accepted(config, name, text)
    with stage_runs(config) as runs:
        code = start_and_print(
            runs, config.root, name, text, key=idempotency_key, at=start, wait=wait, json_=json_
        )
    click.get_current_context().exit(code)
