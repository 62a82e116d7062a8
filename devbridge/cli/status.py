"""`devbridge status`: all that is known of one run."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from devbridge import printable
from devbridge.cli.common import app_options, print_json
from devbridge.cli.runs import run_options, stage_runs
from devbridge.cli.text import ago, ahead, coloured
from devbridge.failures import details
from devbridge.folders import from_here
from devbridge.runs.model import Exit, State
from devbridge.runs.text import as_json, iso, run_time

if TYPE_CHECKING:
    from devbridge.config import Config
    from devbridge.runs.base import RunRecord, Step

RESULT_SHOWN: Final = 10_000
"""Characters of a result that are shown; `--json` shows all."""

NOBODY: Final = "no `devbridge dev` of this stage is here: the next one {}"


def exit_text(exit_: Exit) -> str:
    """How a process ended."""
    if exit_.signal is None:
        return f"code {exit_.code}"
    try:
        return signal.Signals(exit_.signal).name
    except ValueError:
        return f"signal {exit_.signal}"


def lines(
    record: RunRecord, history: Sequence[Step], now: float, root: Path, *, tended: bool = True
) -> Iterator[str]:
    """A run for people.

    Args:
        root: the app's folder.
        tended: somebody goes on with the run.
    """
    from runner.outcome import duration

    yield f"id        {record.job_id}"
    yield f"job       {record.job}"
    yield f"state     {coloured(record.state)}"
    if record.attempt:
        yield f"attempt   {record.attempt} of {record.max_attempts}"
    for word, at in (
        ("asked", record.created_at),
        ("started", record.started_at),
        ("ended", record.ended_at),
    ):
        if at is not None:
            yield f"{word:<9} {iso(at)}  {ago(now - at)}"
    if record.starts_at is not None:
        yield f"starts    {iso(record.starts_at)}  {ahead(record.starts_at - now)}"
    took = run_time(record, now) if tended or record.state.final else None
    if took is not None:
        yield f"took      {duration(took)}" + ("" if record.ended_at else " so far")
    if record.exit:
        yield f"exit      {exit_text(record.exit)}"
    if record.failure:
        yield from _labelled("error", f"{record.failure.type}: {record.failure.message}")
        yield from (f"          {line}" for line in details(record.failure, root))
    if record.result is not None:
        yield _result(record.result.decode("utf-8", "replace"))
    if record.log:
        yield f"log       {from_here(Path(record.log))}"
    began: Step | None = None
    for index, step in enumerate(history):
        again = f"  attempt {step.attempt}" if step.attempt > 1 else ""
        why = f"  {printable.one_line(step.detail)}" if step.detail else ""
        label = "" if index else "history"
        own = _took(began, step) if record.max_attempts > 1 else ""
        yield f"{label:<9} {iso(step.at)}  {coloured(step.state)}{again}{why}{own}"
        # A run that waits for its next attempt is RUNNING, too, and says why.
        began = step if step.state is State.RUNNING and not step.detail else None


def changes(history: Sequence[Step]) -> list[dict[str, Any]]:
    """Each change of a run's state, for programs."""
    return [
        {
            "at": iso(step.at),
            "state": step.state,
            "attempt": step.attempt or None,
            "detail": step.detail,
        }
        for step in history
    ]


def _took(began: Step | None, ended: Step) -> str:
    """How long an attempt took, if these two are its beginning and its end."""
    from runner.outcome import duration

    attempt = ended.attempt if ended.state.final else ended.attempt - 1
    if began is None or began.attempt != attempt:
        return ""
    return f"  took {duration(ended.at - began.at)}"


def _labelled(label: str, text: str) -> Iterator[str]:
    for index, line in enumerate(printable.lines(text)):
        yield f"{'' if index else label:<9} {line}"


def _result(text: str) -> str:
    return f"result    {printable.shown(text[:RESULT_SHOWN])}" + (
        "…" if len(text) > RESULT_SHOWN else ""
    )


@click.command(
    epilog="""\b
Examples:
  devbridge status 3f2a              # the beginning of the id is enough
  devbridge status 3f2a --json | jq .result
  devbridge status 3f2a1d52-9a38-4c0e-8d5f-2f1f3a0c7b11 --job factorial
"""
)
@run_options
@click.option("--json", "json_", is_flag=True, help="Print JSON, times in UTC.")
@app_options
def status(config: Config, *, job_id: str, job: str | None, json_: bool) -> None:
    """Show all that is known of one run.

    That is its state, attempts and times, how its process ended, its error or result, and each
    change of its state. JOB_ID is a run's id or an unambiguous beginning of it. With --job, a run
    that this folder's ledger does not have is asked for through the job's invoker.
    """
    with stage_runs(config) as runs:
        run = runs.find(job_id, job)
        record, history = run.refresh(result=True), run.history()
        tended = record.state.final or run.tended()
    if json_:
        print_json({**as_json(record), "history": changes(history)})
    else:
        shown = lines(record, history, time.time(), config.root, tended=tended)
        click.echo("\n".join(shown))
    if not tended:
        queued = record.state is State.QUEUED
        told = "will start it" if queued else "will say what became of the run"
        click.echo(NOBODY.format(told), err=True)
