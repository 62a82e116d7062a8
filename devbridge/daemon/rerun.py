"""`--rerun-on-save`: once a job that was saved has been loaded again, a new run gets the payload of
its last one, and the newest code: one run, however often the job was saved meanwhile.

A run that goes on is waited for, or cancelled if that is wanted. One that has not started yet, or
has started since the save, has the newest code and is not run again.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable

from devbridge.daemon.events import CancelRequested, Event
from devbridge.runs.base import SHORT
from devbridge.runs.ledger import Ledger
from devbridge.runs.ledger_file import LedgerError
from devbridge.runs.model import State


class Rerun:
    """Runs each job's last run again after a save.

    Args:
        submit: starts a run of a job with a payload.
        say: takes a sentence for the terminal.
        cancel: end a run that goes on, instead of waiting for its end.
    """

    def __init__(
        self,
        ledger: Ledger,
        submit: Callable[[str, bytes], object],
        say: Callable[[str], None],
        *,
        cancel: bool = False,
    ) -> None:
        self._ledger = ledger
        self._submit = submit
        self._say = say
        self._cancel = cancel
        self._saved: dict[str, float] = {}
        """When jobs were saved whose last run may have to be run again: seconds since the epoch."""
        self._loading: set[str] = set()
        """Those of them that have not been loaded since."""
        self._told: set[str] = set()
        """The runs that are waited for, as was said."""

    def saved(self, jobs: Iterable[str]) -> None:
        """These jobs were saved, and are to be loaded again."""
        for job in jobs:
            self._saved[job] = time.time()
            self._loading.add(job)

    def reloaded(self, job: str) -> list[Event]:
        """The job has been loaded as it was saved. What ends its last run, if that still goes on
        and is not to be waited for: not before, as a save that cannot be loaded ends nothing."""
        self._loading.discard(job)
        return self._again(job)

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

    def _again(self, job: str) -> list[Event]:
        """Run the job as the last time, unless that goes on or had the newest code."""
        saved = self._saved.get(job)
        if saved is None:
            return []
        for entry in self._ledger.recent(limit=1, job=job):
            began = entry.started_at or entry.ended_at
            waits = entry.state is State.QUEUED or entry.waits_for_attempt
            if began is None or began >= saved or waits:
                break
            if not entry.state.final:
                return self._until_it_ends(job, entry.job_id)
            payload = b""
            with contextlib.suppress(LedgerError):
                payload = self._ledger.payload(entry.job_id)
            asyncio.get_running_loop().call_soon(self._submit, job, payload)
        del self._saved[job]
        return []

    def _until_it_ends(self, job: str, job_id: str) -> list[Event]:
        if self._cancel:
            return [CancelRequested(job_id)]
        if job_id not in self._told:
            self._told.add(job_id)
            self._say(f"{job} is run again when {job_id[:SHORT]} has ended")
        return []
