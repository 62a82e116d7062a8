"""The jobs and API functions of a stage: what they are, what is broken, how they went last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from devbridge.console import stage_model
from devbridge.console.failures import broken
from devbridge.console.listener import Heard, went_well
from devbridge.console.subject import Subject
from devbridge.console.text import one_line
from devbridge.constructs import Function, Job
from devbridge.daemon import handlers_file
from devbridge.daemon.handlers_file import Handlers
from devbridge.errors import NotFound
from devbridge.payload.check import schema
from devbridge.runs.base import Run, RunRecord, Wanted
from devbridge.runs.find import StageRuns
from devbridge.runs.lock import daemon_runs
from runner import documents
from runner.outcome import Failure

RECENT = 20
"""Runs of each that are told."""


def functions(subject: Subject, heard: Heard) -> Iterator[stage_model.Function]:
    """Those of the app, as it says them."""
    app = subject.app()
    known = _known(subject)
    with subject.runs() as (runs, deployed):
        for job in app.of_type(Job):
            yield _job(subject, known, job, _last(runs, job.name, deployed=deployed))
    for function in app.of_type(Function):
        yield _function(subject, heard, known, function)


def _last(runs: StageRuns, job: str, *, deployed: bool) -> Sequence[Run]:
    try:
        return runs.search(Wanted(job=job), limit=RECENT, deployed=deployed).runs
    except NotFound:  # nothing of the stage is deployed yet
        return ()


def _job(subject: Subject, known: Handlers, job: Job, last: Sequence[Run]) -> stage_model.Function:
    recent = [_run(run.record) for run in last]
    return stage_model.Function(
        name=job.name,
        kind="job",
        handler=_handler(job),
        compute=job.compute.name,
        triggers=[f"{each.kind} {each.label}" for each in job.triggers],
        schema=schema(job.name, str(subject.config.schemas)),
        timeout=job.timeout.total_seconds(),
        live=subject.live and job.live,
        broken=_broken(known.jobs.get(job.name), subject.config.root),
        recent=recent,
        last_error=_last_error(recent),
    )


def _run(record: RunRecord) -> stage_model.Last:
    began, ended = record.started_at, record.ended_at
    return stage_model.Last(
        record.job_id,
        record.state,
        began or record.created_at,
        None if began is None or ended is None else ended - began,
        _error(record.failure),
    )


def _error(failure: Failure | None) -> str | None:
    return None if failure is None else one_line(f"{failure.type}: {failure.message}")


def _last_error(recent: Sequence[stage_model.Last]) -> str | None:
    return next((each.error for each in recent if each.error is not None), None)


def _function(
    subject: Subject, heard: Heard, known: Handlers, function: Function
) -> stage_model.Function:
    recent = [
        stage_model.Last(
            event.what,
            event.how or ("ok" if went_well(event) else "failed"),
            at - event.seconds,
            event.seconds,
            _error(event.failure),
        )
        for at, event in reversed(heard.requests.get(function.name, ()))
    ]
    return stage_model.Function(
        name=function.name,
        kind="function",
        handler=_handler(function),
        compute="lambda",
        triggers=[f"{each.kind} {each.label}" for each in function.triggers],
        schema=None,
        timeout=function.timeout.total_seconds(),
        live=subject.live and function.live,
        broken=_broken(known.functions.get(function.name), subject.config.root),
        recent=recent,
        last_error=_last_error(recent),
    )


def _handler(code: Job | Function) -> str:
    return "" if code.handler is None else str(code.handler)


def _known(subject: Subject) -> Handlers:
    """What the stage's `devbridge dev` knows of handlers, which may be another process."""
    config = subject.config
    runs = daemon_runs(config)
    return (handlers_file.read(config.handlers) if runs else None) or Handlers(subject.since)


def _broken(told: Mapping[str, Any] | None, root: Path) -> stage_model.Broken | None:
    return None if told is None else broken(documents.read(told), root)
