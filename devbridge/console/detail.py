"""All that is known of one run, as the console shows it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from msgspec import structs

from devbridge.console import model
from devbridge.console.failures import failure
from devbridge.console.logs import Log, Logs
from devbridge.console.text import json_text, row
from devbridge.errors import CloudError, DevbridgeError, NotFound
from devbridge.runs.base import Run, RunRecord, Step, Wanted
from devbridge.runs.find import StageRuns
from devbridge.runs.model import State
from runner.triggered import payload_of

_AGAIN: Final = re.compile(r"attempt (\d+) of \d+ ([A-Z_]+), again")
"""What the history says where an attempt has ended that another one follows."""


def detail(run: Run, runs: StageRuns, logs: Logs, root: Path, *, deployed: bool) -> model.Detail:
    """All of a run but its log. `root`: the app's folder."""
    record, missing = _with_result(run)
    payload, unknown = _payload(run)
    steps = run.history()
    end, lines = _log(run, logs, record)
    checkpoint = run.checkpoint()
    return model.Detail(
        run=row(record),
        history=[model.Change(each.at, each.state, each.attempt, each.detail) for each in steps],
        attempts=[structs.replace(a, line=lines.get(a.attempt)) for a in attempts(steps)],
        payload=payload,
        payload_missing=unknown,
        result=None if record.result is None else json_text(record.result),
        result_missing=missing,
        failure=None if record.failure is None else failure(record.failure, root),
        checkpoint=None if checkpoint is None else json_text(checkpoint),
        previous=_previous(record, runs, deployed=deployed),
        log=end,
    )


def attempts(steps: Sequence[Step]) -> Sequence[model.Attempt]:
    """The attempts that a run's history tells, without their place in its log. Pure."""
    found: dict[int, model.Attempt] = {}

    def ends(number: int, at: float, state: State, detail: str | None) -> None:
        began = found[number].started_at if number in found else None
        found[number] = model.Attempt(number, began, at, state, detail, None)

    for step in steps:
        over = _AGAIN.match(step.detail or "")
        if over is not None:
            ends(int(over[1]), step.at, State(over[2]), step.detail)
        elif step.state.final:
            ends(step.attempt, step.at, step.state, step.detail)
        elif step.state is State.RUNNING and step.attempt not in found:
            found[step.attempt] = model.Attempt(
                step.attempt, step.at, None, step.state, step.detail, None
            )
    last = max(found, default=0)
    return [
        structs.replace(each, state=State.FAILED)  # nobody has told how one before has ended
        if number < last and each.ended_at is None
        else each
        for number, each in sorted(found.items())
    ]


def _with_result(run: Run) -> tuple[RunRecord, str | None]:
    try:
        return run.refresh(result=True), None
    except CloudError as error:  # a large one, which is not kept any more
        return run.record, error.what


def _payload(run: Run) -> tuple[str | None, str | None]:
    try:
        return json_text(payload_of(run.payload())), None
    except NotFound as error:
        return None, error.what


def _log(
    run: Run, logs: Logs, record: RunRecord
) -> tuple[model.LogEnd | None, dict[int, int | None]]:
    """How far the log is, and where in it attempts begin, of a log that is here already."""
    if not Path(record.log).is_absolute():
        return None, {}
    try:
        with logs.open(run) as log:
            end = model.LogEnd(log.index.total, log.complete)
            return end, _beginnings(log, record)
    except DevbridgeError:
        return None, {}


def _beginnings(log: Log, record: RunRecord) -> dict[int, int | None]:
    most = record.max_attempts
    return {number: log.attempt(number, most) for number in range(1, record.attempt + 1)}


def _previous(record: RunRecord, runs: StageRuns, *, deployed: bool) -> str | None:
    """The run of the same job that was asked for before it."""
    if record.created_at is None:
        return None
    wanted = Wanted(job=record.job, until=record.created_at)
    found = runs.search(wanted, limit=1, deployed=deployed, after=None)
    return next((run.record.job_id for run in found.runs), None)
