"""`devbridge cancel`: stop a run through CodeBuild or its invoker: it works from anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from devbridge.cli.common import app_options, print_json
from devbridge.cli.runs import found_run, invoker, run_options
from devbridge.runs.model import State

if TYPE_CHECKING:
    from devbridge.config import Config


def what_happened(was: State, state: State) -> str:
    """What a cancellation came to, in words."""
    if was.final:
        return f"already {was}"
    if state is State.CANCELLED:
        return f"was {was}: {'stopped' if was is State.RUNNING else 'it will not start'}"
    if state.final:
        return f"was {was}, and is {state} now"
    return "cancelling: SIGTERM now, SIGKILL after the grace period"


@click.command(
    epilog="""\b
Examples:
  devbridge cancel 3f2a              # the beginning of the id is enough
  devbridge cancel 3f2a1d52-9a38-4c0e-8d5f-2f1f3a0c7b11 --job factorial
"""
)
@run_options
@click.option("--json", "json_", is_flag=True, help='Print JSON: {"id", "job", "was", "state"}.')
@app_options
def cancel(config: Config, *, job_id: str, job: str | None, json_: bool) -> None:
    """Cancel a run, whatever state it is in.

    A run that is QUEUED never starts. One that is RUNNING gets SIGTERM, with all processes that it
    has started, and SIGKILL after the grace period of `devbridge dev`. JOB_ID is a run's id or an
    unambiguous beginning of it.
    """
    with found_run(config, job_id, job) as (run, _):
        if run.build is not None:
            was, state = run.build.cancel()
        elif run.entry is not None and run.entry.state.final:
            was = state = run.entry.state
        else:
            with invoker(config, run) as ask:
                answer = ask("cancel")
            was, state = State(answer["was"]), State(answer["state"])
    if json_:
        print_json({"id": run.job_id, "job": run.job, "was": was, "state": state})
    else:
        click.echo(f"{run.job_id}  {run.job}  {what_happened(was, state)}")
