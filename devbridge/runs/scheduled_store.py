"""The runs of a stage that wait for their time, as EventBridge Scheduler has them: see
`devbridge.runs.scheduled`. Through their jobs' invokers they are asked about and cancelled."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from time import sleep
from typing import Any, Final

from devbridge import names
from devbridge.constructs import App, Job
from devbridge.errors import DevbridgeError
from devbridge.runs.base import Account, Run, RunRecord, Step
from devbridge.runs.invoker import InvokerRun, InvokerStore
from devbridge.runs.model import State
from devbridge.runs.scheduled import Schedules

MOST: Final = 1000
"""Schedules that are looked at: the names of those that were asked for last may be any."""
_AT_ONCE: Final = 8
"""Schedules that are asked about at the same time."""
_BEGINNING: Final = re.compile(r"[0-9a-f-]{1,36}")
"""Of a schedule's name."""


@dataclass(frozen=True, slots=True)
class _Listed:
    """What a list has of a schedule: not its time."""

    uuid: str
    job: Job
    stage: str
    asked: datetime


class ScheduledStore:
    """The runs of one stage that wait for their time."""

    def __init__(
        self,
        app: Callable[[], App],
        there: Callable[[], Account],
        stage: str,
        invoker: Callable[[Job, str], InvokerStore],
        unheard: Callable[[str], None],
    ) -> None:
        """
        Args:
            app, there: give the app and the cloud, when they are needed.
            invoker: gives what reaches the invoker of a job at a stage.
            unheard: is told why nothing could be asked of the cloud. There may be other runs.
        """
        self._app, self._there = app, there
        self._stage = stage
        self._invoker = invoker
        self._unheard = unheard

    def find(self, given: str, started: Callable[[Run], Run]) -> Sequence[Run]:
        """The runs whose id, or the part of it behind the project's name, begins so.

        Args:
            started: gives what is known of a run that waited, and does not any more.
        """
        project, _, uuid = given.rpartition(":")
        beginning = uuid.lower()
        found: list[Run] = []
        if _BEGINNING.fullmatch(beginning):
            with self._heard():
                stages = {self._stage: None, **({names.stage_of(project): None} if project else {})}
                for stage in stages:
                    found += self._runs(self._listed(stage, project, beginning), started)
        return found

    def recent(self, limit: int, job: str | None, started: Callable[[Run], Run]) -> Sequence[Run]:
        """Those that were asked for last, of that job, if one is named; the last one first. All of
        them, where a stage has more than `MOST`, are not known.

        Args:
            started: as `find`.
        """
        found: list[Run] = []
        with self._heard():
            listed = [
                each for each in self._listed(self._stage, "", "") if job in (None, each.job.name)
            ]
            newest = sorted(listed, key=lambda each: each.asked, reverse=True)
            found += self._runs(newest[:limit], started)
        return found

    def _listed(self, stage: str, project: str, beginning: str) -> Sequence[_Listed]:
        """What Scheduler lists of the app's jobs at a stage, or of the one with that project."""
        of = {
            names.invoker(job, stage): job
            for job in self._app().of_type(Job)
            if job.later and project in ("", names.project(job, stage))
        }
        if not of:
            return ()
        client = self._there().client("scheduler")
        pages = client.get_paginator("list_schedules").paginate(
            GroupName=names.schedules(self._app().name, stage),
            **({"NamePrefix": beginning} if beginning else {}),
        )
        schedules = (each for page in pages for each in page["Schedules"])
        found = []
        try:
            for each in islice(schedules, MOST):
                job = of.get(each["Target"]["Arn"].rpartition(":")[2])
                if job is not None:
                    found.append(_Listed(each["Name"], job, stage, each["CreationDate"]))
        except client.exceptions.ResourceNotFoundException:  # no job there was ever a later one
            return ()
        return found

    def _runs(self, listed: Sequence[_Listed], started: Callable[[Run], Run]) -> Sequence[Run]:
        """The runs that are listed, without those that have started since."""
        client = self._there().client("scheduler") if listed else None

        def run(each: _Listed) -> Run | None:
            group = names.schedules(self._app().name, each.stage)
            waiting = Schedules(lambda: client, group).get(each.uuid)
            if waiting is None:
                return None
            event: dict[str, Any] = json.loads(waiting.event)
            record = RunRecord(
                job_id=event.get("jobId", each.uuid),
                job=each.job.name,
                state=State.SCHEDULED,
                created_at=each.asked.timestamp(),
                starts_at=waiting.start.timestamp(),
            )
            payload = str(event["payloadText"]).encode("utf-8", "surrogatepass")
            return ScheduledRun(self._invoker(each.job, each.stage), record, payload, started)

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return [found for found in pool.map(run, listed) if found is not None]

    @contextlib.contextmanager
    def _heard(self) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except (DevbridgeError, BotoCoreError, ClientError) as error:
            why = error.what if isinstance(error, DevbridgeError) else error
            self._unheard(f"runs for a later time are not known now: {why}")


class ScheduledRun(InvokerRun):
    """A run that waited for its time when it was asked for."""

    def __init__(
        self,
        store: InvokerStore,
        record: RunRecord,
        payload: bytes,
        started: Callable[[Run], Run],
    ) -> None:
        super().__init__(store, record.job_id, record)
        self._asked_at = record.created_at
        self._payload = payload
        self._started = started

    def refresh(self, *, result: bool = False) -> RunRecord:
        """As `InvokerRun.refresh`: it may have started, or was cancelled.

        Raises:
            UnknownRun: nothing is known of one that was cancelled.
        """
        record = super().refresh(result=result)
        if record.state is State.SCHEDULED:
            record = self._record = replace(record, created_at=self._asked_at)
        return record

    def history(self) -> Sequence[Step]:
        """When it was asked for."""
        return () if self._asked_at is None else (Step(self._asked_at, State.SCHEDULED),)

    def payload(self) -> bytes:
        """What it is to be given, a JSON text."""
        return self._payload

    def output(self, *, follow: bool, everything: bool = False) -> Iterator[bytes]:
        """What it has printed since it has started.

        Raises:
            UnknownRun: it was cancelled.
            NotFound: its output cannot be read from here.
        """
        while self.refresh().state is State.SCHEDULED:
            if not follow:
                return
            sleep(self.poll)
        run = self._started(self)
        if run is self:
            raise self._not_told("output", "ask in the folder of the `devbridge dev` that runs it")
        yield from run.output(follow=follow, everything=everything)
        self._record = run.record
