"""A job's runs as its invoker tells of them: for those who may ask nothing else.

An invoker knows each run by its whole id and lists none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

from devbridge.constructs import App, Function, Job
from devbridge.errors import NotFound, UnknownJob, did_you_mean
from devbridge.later import written
from devbridge.runs.base import Cancellation, Found, RunRecord, Started, Step, Wanted
from devbridge.runs.model import State
from runner import documents
from runner.triggered import MARK

POLL: Final = 2.0
"""Seconds between two questions to the invoker, each of which is an invocation of a Lambda."""


class Ask(Protocol):
    """Asks a job's invoker one thing and returns its answer: see `devbridge.job.ask`."""

    def __call__(self, action: str, payload: str = "null", **fields: str | bool) -> dict[str, Any]:
        """
        Args:
            action: ``run``, ``schedule``, ``cancel``, ``status`` or ``result``.
            payload: a JSON text.
            fields: what else the event has.
        """


class InvokerStore:
    """The runs of one job."""

    def __init__(self, ask: Ask, job: str) -> None:
        self.ask = ask
        self.job = job

    def owns(self, run_id: str) -> bool:
        """Never: an invoker tells of what others have."""
        return False

    def start(
        self,
        job: str,
        payload: bytes,
        *,
        key: str,
        remember: bool,
        checkpoint: bytes | None = None,
        at: datetime | None = None,
    ) -> Started:
        """Start a run, as the app's own code does.

        Args:
            at: when it is to start, in UTC; None: now.

        Raises:
            UnknownJob: it is another job's invoker.
            NotDeployed: the stage has no such invoker.
            PayloadTooLarge: the payload is over Lambda's limit.
            InvokeError: the invoker was reached, and failed or refused.
        """
        if job != self.job:
            raise UnknownJob(f"this is the invoker of job {self.job!r}, not of {job!r}")
        generated = {} if remember else {"generatedKey": True}
        text = payload.decode("utf-8", "surrogatepass")
        begins = {} if checkpoint is None else {"checkpoint": checkpoint.decode()}
        then = {} if at is None else {"startAt": written(at)}
        again = {"triggered": True} if payload.startswith(MARK) else {}
        action = "schedule" if then else "run"
        answer = self.ask(action, text, idempotencyKey=key, **generated, **begins, **then, **again)
        state, starts_at = State(answer["state"]), _starts_at(answer)
        record = RunRecord(job_id=answer["jobId"], job=job, state=state, starts_at=starts_at)
        return Started(InvokerRun(self, record.job_id, record), bool(answer.get("duplicate")))

    def get(self, run_id: str) -> InvokerRun:
        """The run with this whole id.

        Raises:
            UnknownRun: the invoker knows of none.
            NotDeployed, InvokeError: as `start`.
        """
        run = self.named(run_id)
        run.refresh()
        return run

    def named(self, run_id: str) -> InvokerRun:
        """The run with this whole id, which is not asked for until something must be known."""
        return InvokerRun(self, run_id)

    def find(self, prefix: str, job: str | None = None) -> Sequence[InvokerRun]:
        """Nothing: a run must be named by its whole id."""
        return []

    def recent(
        self, limit: int, job: str | None = None, state: State | None = None
    ) -> Sequence[InvokerRun]:
        """
        Raises:
            NotFound: always.
        """
        raise NotFound(f"the invoker of job {self.job!r} does not list runs")

    def search(self, wanted: Wanted, *, limit: int, after: str | None = None) -> Found:
        """
        Raises:
            NotFound: always.
        """
        raise NotFound(f"the invoker of job {self.job!r} does not list runs")


class InvokerRun:
    """One run that is asked for through its job's invoker."""

    printers: Final = ""

    def __init__(self, store: InvokerStore, job_id: str, record: RunRecord | None = None) -> None:
        self.poll = POLL
        self._store = store
        self._job_id = job_id
        self._record = record

    @property
    def record(self) -> RunRecord:
        """What was last known of it; it is asked for if nothing is.

        Raises:
            UnknownRun, NotDeployed, InvokeError: as `InvokerStore.get`.
        """
        return self._record or self.refresh()

    def refresh(self, *, result: bool = False) -> RunRecord:
        """Ask the invoker.

        Raises:
            UnknownRun, NotDeployed, InvokeError: as `InvokerStore.get`.
        """
        answer = self._store.ask("result" if result else "status", jobId=self._job_id)
        self._record = recorded(answer)
        return self._record

    def history(self) -> Sequence[Step]:
        """Nothing: an invoker tells no times."""
        return ()

    def payload(self) -> bytes:
        """
        Raises:
            NotFound: always: an invoker does not have it.
        """
        remedy = "give one: --payload; or go to the folder of the `devbridge dev` that ran it"
        raise self._not_told("payload", remedy)

    def checkpoint(self) -> bytes | None:
        """Nothing: an invoker does not tell it."""
        return None

    def cancel(self) -> Cancellation:
        """Cancel it.

        Raises:
            UnknownRun, NotDeployed, InvokeError: as `InvokerStore.get`.
        """
        answer = self._store.ask("cancel", jobId=self._job_id)
        was, state = State(answer["was"]), State(answer["state"])
        return Cancellation(self._job_id, self._store.job, was, state, bool(answer.get("waits")))

    def output(self, *, follow: bool, everything: bool = False) -> Iterator[bytes]:
        """
        Raises:
            NotFound: always: an invoker does not have it.
        """
        remedy = "ask in the folder of the `devbridge dev` that runs it"
        raise self._not_told("output", remedy)

    def _not_told(self, what: str, remedy: str) -> NotFound:
        return NotFound(
            f"the {what} of a run is not told by its job's invoker",
            where=f"job {self._store.job!r}, run {self._job_id}",
            remedy=remedy,
        )

    def tended(self) -> bool:
        """As far as an invoker knows: it says itself if nobody is there."""
        return True


def recorded(answer: Mapping[str, Any]) -> RunRecord:
    """What an invoker's answer says of a run."""
    state, failure = State(answer["state"]), answer.get("failure")
    result = None
    if "result" in answer and state is State.SUCCEEDED:
        result = json.dumps(answer["result"], ensure_ascii=False, separators=(",", ":"))
    return RunRecord(
        job_id=answer["jobId"],
        job=answer["job"],
        state=state,
        starts_at=_starts_at(answer),
        attempt=answer["attempt"],
        max_attempts=answer["maxAttempts"],
        result=None if result is None else result.encode("utf-8", "surrogatepass"),
        failure=documents.read(failure) if failure else None,
        closed=state.final,
    )


def _starts_at(answer: Mapping[str, Any]) -> float | None:
    found = answer.get("startAt")
    return None if found is None else datetime.fromisoformat(found).timestamp()


def find_job(app: App, name: str) -> Job:
    """The app's job of that name.

    Raises:
        UnknownJob: there is none; the error lists those there are.
    """
    jobs = {job.name: job for job in app.of_type(Job)}
    if name in jobs:
        return jobs[name]
    known = ", ".join(sorted(jobs)) or "it has none"
    if function := next((each for each in app.of_type(Function) if each.name == name), None):
        raise UnknownJob(
            f"{name!r} is a Function of the app {app.name!r}, not a job: AWS calls it itself",
            where=str(function.where),
            remedy=f"see what it prints: devbridge logs {name}; jobs: {known}",
        )
    raise UnknownJob(
        f"the app {app.name!r} has no job {name!r}{did_you_mean(name, jobs)}",
        where=str(app.where),
        remedy=f"use one of its jobs: {known}",
    )
