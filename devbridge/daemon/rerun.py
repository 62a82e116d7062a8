"""`--rerun-on-save`: once a job that was saved has been loaded again, a new run gets the payload of
its last one, and the newest code: one run, however often the job was saved meanwhile.

A run that goes on is waited for, or cancelled if that is wanted. One that has not started yet, or
has started since the save, has the newest code and is not run again.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection, Iterable

from devbridge.daemon.events import CancelRequested, Event
from devbridge.runs.base import SHORT
from devbridge.runs.ledger import Ledger
from devbridge.runs.ledger_file import LedgerError
from devbridge.runs.model import State


class Rerun:
    """Runs each job's last run again after a save.

    Args:
        running: tells the ids of the runs that run now.
        submit: starts a run of a job with a payload.
        say: takes a sentence for the terminal.
        cancel: end a run that goes on, instead of waiting for its end.
    """

    def __init__(
        self,
        ledger: Ledger,
        running: Callable[[], Collection[str]],
        submit: Callable[[str, bytes], object],
        say: Callable[[str], None],
        *,
        cancel: bool = False,
    ) -> None:
        self._ledger = ledger
        self._running = running
        self._submit = submit
        self._say = say
        self._cancel = cancel
        self._saved: dict[str, float] = {}
        """When jobs were saved whose last run may have to be run again: seconds since the epoch."""
        self._loading: set[str] = set()
        """Those of them that have not been loaded since."""
        self._told: set[str] = set()
        """The runs that are waited for, as was said."""

    def saved(self, jobs: Iterable[str]) -> list[Event]:
        """What ends the jobs' last runs, if they still go on and that is wanted."""
        for job in jobs:
            self._saved[job] = time.time()
            self._loading.add(job)
        running = self._running() if self._cancel else ()
        return [
            CancelRequested(entry.job_id)
            for job in jobs
            for entry in self._ledger.recent(limit=1, job=job)
            if entry.job_id in running
        ]

    def reloaded(self, job: str) -> None:
        """The job has been loaded as it was saved."""
        self._loading.discard(job)
        self._again(job)

    def ended(self, job: str, job_id: str) -> None:
        """A run of the job is over."""
        self._told.discard(job_id)
        if job not in self._loading:
            self._again(job)

    def forget(self, jobs: Iterable[str]) -> None:
        """These jobs are no part of the app any more, or nothing of them is to be run any more."""
        for job in jobs:
            self._saved.pop(job, None)
            self._loading.discard(job)

    def _again(self, job: str) -> None:
        """Run the job as the last time, unless that goes on or had the newest code."""
        saved = self._saved.get(job)
        if saved is None:
            return
        for entry in self._ledger.recent(limit=1, job=job):
            began = entry.started_at or entry.ended_at
            waits = entry.state is State.QUEUED or entry.waits_for_attempt
            if began is None or began >= saved or waits:
                break
            if not entry.state.final:
                if entry.job_id not in self._told:
                    self._told.add(entry.job_id)
                    self._say(f"{job} is run again when {entry.job_id[:SHORT]} has ended")
                return
            payload = b""
            with contextlib.suppress(LedgerError):
                payload = self._ledger.payload(entry.job_id)
            asyncio.get_running_loop().call_soon(self._submit, job, payload)
        del self._saved[job]
