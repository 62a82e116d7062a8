"""`devbridge status`: all that is known of one run."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from devbridge import printable
from devbridge.cli.common import app_options, daemon_runs, print_json
from devbridge.cli.jobs import as_json, run_time
from devbridge.cli.logs import log_file
from devbridge.cli.runs import answer_as_json, found_run, invoker, run_options
from devbridge.cli.text import ago, coloured, iso
from devbridge.runs.model import Exit, State

if TYPE_CHECKING:
    from devbridge.config import Config
    from devbridge.runs.base import RunRecord

RESULT_SHOWN: Final = 10_000
"""Characters of a result that are shown; `--json` shows all."""

NOBODY: Final = (
    "no `devbridge dev` of this stage is here: the next one will say what became of the run"
)

History = Sequence[tuple[float, State, int, str | None]]


def exit_text(exit_: Exit) -> str:
    """How a process ended."""
    if exit_.signal is None:
        return f"code {exit_.code}"
    try:
        return signal.Signals(exit_.signal).name
    except ValueError:
        return f"signal {exit_.signal}"


def lines(entry: RunRecord, history: History, log: str, now: float) -> Iterator[str]:
    """A run for people."""
    from devbridge.daemon import lines

    yield f"id        {entry.job_id}"
    yield f"job       {entry.job}"
    yield f"state     {coloured(entry.state)}"
    if entry.attempt:
        yield f"attempt   {entry.attempt} of {entry.max_attempts}"
    for word, at in (
        ("asked", entry.created_at),
        ("started", entry.started_at),
        ("ended", entry.ended_at),
    ):
        if at is not None:
            yield f"{word:<9} {iso(at)}  {ago(now - at)}"
    took = run_time(entry, now)
    if took is not None:
        yield f"took      {lines.duration(took)}" + ("" if entry.ended_at else " so far")
    if entry.exit:
        yield f"exit      {exit_text(entry.exit)}"
    if entry.failure:
        yield from _labelled("error", f"{entry.failure.type}: {entry.failure.message}")
        yield from (f"          {line}" for line in lines.frames(entry.failure))
    if entry.result is not None:
        yield _result(entry.result.decode("utf-8", "replace"))
    if log:
        yield f"log       {log}"
    for index, (at, state, attempt, detail) in enumerate(history):
        again = f"  attempt {attempt}" if attempt > 1 else ""
        why = f"  {printable.one_line(detail)}" if detail else ""
        yield f"{'' if index else 'history':<9} {iso(at)}  {coloured(state)}{again}{why}"


def remote_lines(run: dict[str, Any]) -> Iterator[str]:
    """A run for people, of which only the invoker's answer is known."""
    yield f"id        {run['id']}"
    yield f"job       {run['job']}"
    yield f"state     {coloured(State(run['state']))}"
    if run["attempt"]:
        yield f"attempt   {run['attempt']} of {run['maxAttempts']}"
    if run["error"]:
        yield from _labelled("error", f"{run['error']['type']}: {run['error']['message']}")
    if run["state"] == State.SUCCEEDED:
        yield _result(json.dumps(run["result"], ensure_ascii=False))


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
    with found_run(config, job_id, job) as (run, book):
        if run.build is not None:
            entry = run.build.whole()
            _print(entry, build_history(entry), entry.log, json_=json_)
        elif run.entry is None or book is None:
            with invoker(config, run) as ask:
                answer = answer_as_json(ask("result"))
            if json_:
                print_json(answer)
            else:
                click.echo("\n".join(remote_lines(answer)))
        else:
            log = str(log_file(config, run.entry))
            _print(run.entry, book.history(run.job_id), log, json_=json_)
            if not run.entry.state.final and not daemon_runs(config):
                click.echo(NOBODY, err=True)


def build_history(entry: RunRecord) -> History:
    """The changes of state that a build's times tell."""
    history: list[tuple[float, State, int, str | None]] = [
        (entry.created_at, State.QUEUED, 1, None)
    ]
    if entry.started_at is not None:
        history.append((entry.started_at, State.RUNNING, 1, None))
    if entry.ended_at is not None:
        history.append((entry.ended_at, entry.state, entry.attempt, None))
    return history


def _print(entry: RunRecord, history: History, log: str, *, json_: bool) -> None:
    if json_:
        changes = [
            {"at": iso(at), "state": state, "attempt": attempt or None, "detail": detail}
            for at, state, attempt, detail in history
        ]
        print_json({**as_json(entry), "log": log or None, "history": changes})
    else:
        click.echo("\n".join(lines(entry, history, log, time.time())))
