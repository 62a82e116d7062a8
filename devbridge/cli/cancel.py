"""`devbridge cancel`: stop a run; it works from anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from devbridge.cli.common import app_options, print_json
from devbridge.cli.runs import run_options, stage_runs
from devbridge.runs.model import State

if TYPE_CHECKING:
    from devbridge.config import Config
    from devbridge.runs.base import Cancellation


def what_happened(was: State, state: State, *, waits: bool = False) -> str:
    """What a cancellation came to, in words."""
    if waits:
        return f"was {was}, and no `devbridge dev` is there: the next one cancels it"
    if was.final:
        return f"already {was}"
    if state is State.CANCELLED:
        return f"was {was}: {'stopped' if was is State.RUNNING else 'it will not start'}"
    if state.final:
        return f"was {was}, and is {state} now"
    return "cancelling: SIGTERM now, SIGKILL after the grace period"


def document(done: Cancellation) -> dict[str, Any]:
    """A cancellation for programs."""
    return {
        "id": done.job_id,
        "job": done.job,
        "was": done.was,
        "state": done.state,
        "waits": done.waits,
    }


@click.command(
    epilog="""\b
Examples:
  devbridge cancel 3f2a              # the beginning of the id is enough
  devbridge cancel 3f2a1d52-9a38-4c0e-8d5f-2f1f3a0c7b11 --job factorial
"""
)
@run_options
@click.option(
    "--json",
    "json_",
    is_flag=True,
    help='Print JSON: {"id", "job", "was", "state", "waits"}.',
)
@app_options
def cancel(config: Config, *, job_id: str, job: str | None, json_: bool) -> None:
    """Cancel a run, whatever state it is in.

    A run that is QUEUED never starts. One that is RUNNING gets SIGTERM, with all processes that it
    has started, and SIGKILL after the grace period of `devbridge dev`. JOB_ID is a run's id or an
    unambiguous beginning of it.
    """
    with stage_runs(config) as runs:
        done = runs.find(job_id, job).cancel()
    if json_:
        print_json(document(done))
    else:
        told = what_happened(done.was, done.state, waits=done.waits)
        click.echo(f"{done.job_id}  {done.job}  {told}")
