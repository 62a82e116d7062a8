"""`--rerun-on-save`: a save ends the last run of a job; once the job has been loaded again, a new
run gets the same payload."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Iterable

from devbridge.daemon.events import CancelRequested, Event
from devbridge.runs.ledger import Ledger
from devbridge.runs.ledger_file import LedgerError


class Rerun:
    """Runs each job's last run again after a save.

    Args:
        running: tells the ids of the runs that run now.
        submit: starts a run of a job with a payload.
    """

    def __init__(
        self,
        ledger: Ledger,
        running: Callable[[], Collection[str]],
        submit: Callable[[str, bytes], object],
    ) -> None:
        self._ledger = ledger
        self._running = running
        self._submit = submit

    def saved(self, jobs: Iterable[str]) -> list[Event]:
        """What ends the jobs' last runs, if they still go on."""
        running = self._running()
        return [
            CancelRequested(entry.job_id)
            for job in jobs
            for entry in self._ledger.recent(limit=1, job=job)
            if entry.job_id in running
        ]

    def reloaded(self, job: str) -> None:
        """The job has been loaded as it was saved: run it as the last time."""
        for entry in self._ledger.recent(limit=1, job=job):
            payload = b""
            with contextlib.suppress(LedgerError):
                payload = self._ledger.payload(entry.job_id)
            asyncio.get_running_loop().call_soon(self._submit, job, payload)
