"""What the console starts and ends: runs, as the app's own code and the command line do."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final

from devbridge.console import model
from devbridge.console.refused import Conflict, in_words
from devbridge.console.runs import wanted
from devbridge.console.subject import Subject
from devbridge.constructs import Job
from devbridge.errors import InvalidValue
from devbridge.payload.given import check_accepted, check_json
from devbridge.runs.base import Wanted
from devbridge.runs.find import NOT_YET, StageRuns, resumes_at
from devbridge.runs.invoker import find_job
from devbridge.runs.lock import daemon_runs
from devbridge.runs.model import State
from runner.outcome import ENDED
from runner.triggered import let_go

MOST: Final = 1000
"""Runs of one bulk action."""
_AT_ONCE: Final = 4
_ENDED: Final = tuple(State(each) for each in ENDED)
_UNENDED: Final = tuple(state for state in State if not state.final)
_ANYWAY: Final = "send it unchecked"


def invoke(subject: Subject, asked: model.Invocation) -> model.Invoked:
    """Start a run.

    Raises:
        PayloadError: it cannot be sent, or the handler would refuse it.
        UnknownJob, UnknownTrigger: there is none of that name.
        NotDeployed, InvokeError: as `StageRuns.start`.
    """
    job = find_job(subject.app(), asked.job)
    if asked.trigger is not None:
        return _triggered(subject, job, asked)
    text = _checked(subject, job.name, asked.payload, check=asked.check)
    with subject.runs() as (runs, _):
        return _start(runs, job.name, text, asked.key)


def replay(subject: Subject, run_id: str, asked: model.Replay) -> model.Invoked:
    """Run the job of a run again: with another payload, or as it was.

    Raises:
        UnknownRun: there is no such run.
        PayloadError, NotDeployed, InvokeError: as `invoke`.
        NotFound: its payload is not kept.
    """
    with subject.runs() as (runs, _):
        before = runs.find(run_id)
        job = before.record.job
        if asked.payload is not None:
            text = _checked(subject, job, asked.payload, check=asked.check)
            return _start(runs, job, text, None)
        return _start(runs, job, let_go(before.payload()), None, resumes_at(before))


def cancel(subject: Subject, run_id: str) -> model.Cancelled:
    """Cancel a run, whatever state it is in.

    Raises:
        UnknownRun: there is no such run.
        InvokeError: nobody took the cancellation.
    """
    with subject.runs() as (runs, _):
        done = runs.find(run_id).cancel()
    runs_here = subject.live and not done.waits and done.state is State.RUNNING
    grace = subject.config.grace if runs_here else None
    return model.Cancelled(done.was, done.state, done.waits, grace)


def bulk(subject: Subject, asked: model.Bulk) -> model.BulkDone:
    """The same for all runs of a filter, if they are as many as somebody has agreed to.

    Raises:
        Conflict: there are more or fewer now.
        InvalidValue: they are more than `MOST`.
    """
    ids = _ids(subject, _of(asked))
    if asked.count is None:
        return model.BulkDone(len(ids), None, [])
    if asked.count != len(ids):
        raise Conflict(
            f"there are {len(ids):,} runs now, not {asked.count:,}", remedy="look, and ask again"
        )
    one: Callable[[str], object] = (
        (lambda run_id: cancel(subject, run_id))
        if asked.action == "cancel"
        else (lambda run_id: replay(subject, run_id, model.Replay()))
    )

    def done(run_id: str) -> model.Undone | None:
        try:
            one(run_id)
        except Exception as error:  # whatever it is, the others are done, and that is to be told
            return model.Undone(run_id, in_words(error)[1].message)
        return None

    with ThreadPoolExecutor(_AT_ONCE, "console-bulk") as pool:
        failed = [undone for undone in pool.map(done, ids) if undone is not None]
    return model.BulkDone(len(ids), len(ids) - len(failed), failed)


def _of(asked: model.Bulk) -> Wanted:
    """The runs that such an action can be for."""
    found = wanted(asked.filter)
    possible = _UNENDED if asked.action == "cancel" else _ENDED
    states = tuple(state for state in found.states or possible if state in possible)
    if not states:
        raise InvalidValue(
            f"runs in state {asked.filter.state} cannot be the ones to {asked.action}",
            remedy=f"take some of {', '.join(possible)}",
        )
    return replace(found, states=states)


def _ids(subject: Subject, which: Wanted) -> Sequence[str]:
    with subject.runs() as (runs, deployed):
        ids = list(_all(runs, which, deployed=deployed))
    if len(ids) > MOST:
        raise InvalidValue(
            f"more than {MOST:,} runs at once are too many", remedy="filter, by time for example"
        )
    return ids


def _all(runs: StageRuns, which: Wanted, *, deployed: bool) -> Iterator[str]:
    """The ids of all of them, and at most one more than `MOST`."""
    left, after = MOST + 1, None
    while left > 0:
        page = runs.search(which, limit=left, deployed=deployed, after=after)
        yield from (run.record.job_id for run in page.runs)
        left, after = left - len(page.runs), page.after
        if after is None:
            return


def _start(
    runs: StageRuns, job: str, payload: bytes, key: str | None, checkpoint: bytes | None = None
) -> model.Invoked:
    started = runs.start(job, payload, key=key, checkpoint=checkpoint)
    note = NOT_YET if runs.awaited(started.run) else None
    return model.Invoked(started.run.record.job_id, started.duplicate, note)


def _checked(subject: Subject, job: str, payload: str, *, check: bool) -> bytes:
    data = payload.encode("utf-8", "surrogatepass")
    text = check_json(data, "the payload", "correct it at that place")
    if check:
        check_accepted(subject.config.schemas, job, text, _ANYWAY)
    return text.encode("utf-8", "surrogatepass")


def _triggered(subject: Subject, job: Job, asked: model.Invocation) -> model.Invoked:
    """Send what a trigger listens to, the way that real events take."""
    from devbridge.deploy import resources, stage_mode
    from devbridge.messages.chosen import choose, content, payload
    from devbridge.messages.kinds import is_checked, send, waits
    from devbridge.messages.sending import Sender
    from devbridge.payload.check import schema

    kind, _, name = (asked.trigger or "").partition(" ")
    chosen = choose(job, name or None, kind or None)
    known = schema(job.name, str(subject.config.schemas))
    sent = content(chosen, known, asked.payload.encode("utf-8", "surrogatepass"))
    if asked.check and is_checked(chosen):
        text = json.dumps(payload(chosen, sent))
        check_accepted(subject.config.schemas, job.name, text, _ANYWAY)
    there, app, stage = subject.cloud(), subject.app(), subject.config.stage
    live = job.live and stage_mode(there, app.name, stage) == "dev"
    sender = Sender(there, job, stage, resources(there, app.name, stage), live=live)
    with there.explained():
        done = send(sender, chosen, sent)
    note = done.note or f"sent {done.what} {done.id} to {done.to}"
    if live and waits(chosen) and not daemon_runs(subject.config):
        note += "; it waits for a `devbridge dev`"
    return model.Invoked(done.run or None, note=note)
