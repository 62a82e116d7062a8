"""The live runs of a stage, as the ledger of this folder's `devbridge dev` has them, and those that
were asked for from here and wait for one.

The ledger is read only: runs are started and cancelled through their job's invoker, from wherever.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from time import sleep, time
from typing import TYPE_CHECKING, Final

from devbridge.errors import CloudNotRunning, NotFound, UnknownRun
from devbridge.protocol.ids import is_id
from devbridge.runs import logfile
from devbridge.runs.base import (
    Cancellation,
    Found,
    RunRecord,
    Started,
    Step,
    Wanted,
    shortened,
    told,
)
from devbridge.runs.ledger_reader import LedgerReader
from devbridge.runs.model import State
from devbridge.runs.queued import Queued
from devbridge.runs.searching import fits

if TYPE_CHECKING:
    from devbridge.runs.invoker import InvokerStore

POLL: Final = 0.1
"""Seconds between two looks at the ledger for one run."""
LATE: Final = 5.0
"""Seconds after a run's end for which what its worker still writes into its log is waited for. Its
traceback comes last, when the worker's process has ended."""


class LedgerStore:
    """The runs in a ledger."""

    def __init__(
        self,
        book: LedgerReader,
        logs: Path,
        invoker: Callable[[str], InvokerStore],
        tended: Callable[[], bool],
        queued: Queued,
    ) -> None:
        """
        Args:
            logs: the folder of the runs' log files.
            invoker: gives what reaches the runs of the job of that name.
            tended: whether a `devbridge dev` goes on with them.
            queued: those that the ledger does not have yet.
        """
        self.book = book
        self.logs = logs
        self.invoker = invoker
        self.tended = tended
        self.queued = queued

    def owns(self, run_id: str) -> bool:
        """Whether a run with this whole id is known here."""
        return is_id(run_id.lower()) and self.known(run_id.lower()) is not None

    def start(
        self,
        job: str,
        payload: bytes,
        *,
        key: str,
        remember: bool,
        checkpoint: bytes | None = None,
    ) -> Started:
        """Start a run through the job's invoker: what the daemon has accepted is in the ledger.

        Raises:
            UnknownJob, PayloadTooLarge, InvokeError: as the invoker's store.
        """
        invoker = self.invoker(job)
        started = invoker.start(job, payload, key=key, remember=remember, checkpoint=checkpoint)
        self.note(started.run.record)
        return Started(self.expect(started.run.record), started.duplicate)

    def note(self, record: RunRecord) -> None:
        """Remember a run that was asked for now, if no daemon has taken it."""
        if record.state is State.QUEUED and self.book.get(record.job_id) is None:
            self.queued.add(record.job_id, record.job)

    def expect(self, record: RunRecord) -> LedgerRun:
        """A run that was asked for: a daemon that is not here yet will enter it."""
        return LedgerRun(self, self.book.get(record.job_id) or record)

    def get(self, run_id: str) -> LedgerRun:
        """The run with this whole id.

        Raises:
            UnknownRun: the ledger does not have it.
        """
        record = self.known(run_id.lower())
        if record is None:
            raise UnknownRun(f"nothing is known of a run {run_id!r}", where=str(self.book.path))
        return LedgerRun(self, record)

    def find(self, prefix: str, job: str | None = None) -> Sequence[LedgerRun]:
        """The runs whose id begins so, at most 20 of the ledger, the newest first; of any job: an
        id that names a run of another one is a mistake that can be told."""
        prefix = prefix.lower()
        found = [*self._waiting(prefix), *self.book.find(prefix)] if prefix else []
        return [LedgerRun(self, record) for record in found]

    def recent(
        self, limit: int, job: str | None = None, state: State | None = None
    ) -> Sequence[LedgerRun]:
        """The newest runs, the newest first."""
        waiting = [
            record
            for record in self._waiting()
            if job in (None, record.job) and state in (None, record.state)
        ]
        found = [*waiting, *self.book.recent(limit=limit, job=job, state=state)]
        newest = sorted(found, key=lambda record: record.created_at or 0.0, reverse=True)
        return [LedgerRun(self, record) for record in newest[:limit]]

    def search(self, wanted: Wanted, *, limit: int, after: str | None = None) -> Found:
        """The newest runs that are wanted. The first page has all that wait for a daemon."""
        found = self.book.search(wanted, limit=limit, after=after)
        runs = [LedgerRun(self, record) for record in found]
        more = found[-1].job_id if len(found) == limit else None
        if after is not None:
            return Found(runs, more)
        waits = (LedgerRun(self, record) for record in self._waiting())
        waiting = [run for run in waits if fits(run, wanted)]
        newest = sorted([*waiting, *runs], key=lambda run: run.record.created_at or 0, reverse=True)
        total = len(found) if more is None else self.book.count(wanted)
        return Found(newest, more, len(waiting) + total)

    def short_id(self, run_id: str, others: Sequence[str] = ()) -> str:
        """The shortest beginning of an id, of 8 characters or more, that no other run's id has, nor
        any of `others`."""
        alike = self.find(shortened(run_id, []))
        return shortened(run_id, [*(run.record.job_id for run in alike), *others])

    def awaited(self, run_id: str) -> bool:
        """Whether a run that was asked for waits for a `devbridge dev`."""
        return self.book.get(run_id) is None and not self.tended()

    def known(self, run_id: str) -> RunRecord | None:
        """What is known of the run with this whole id."""
        return self.book.get(run_id) or self.queued.get(run_id)

    def _waiting(self, prefix: str = "") -> Sequence[RunRecord]:
        """What the ledger does not have. Of what it has now, the note is of no more use."""
        waiting = []
        for record in self.queued.find(prefix):
            if self.book.get(record.job_id) is None:
                waiting.append(record)
            else:
                self.queued.forget(record.job_id)
        return waiting


class LedgerRun:
    """One run in a ledger, or one that will be."""

    poll = POLL
    printers: Final = ""

    def __init__(self, store: LedgerStore, record: RunRecord) -> None:
        self._store = store
        self.record = self._here(record)

    def refresh(self, *, result: bool = False) -> RunRecord:
        """Look it up again; the ledger always has the result."""
        found = self._store.known(self.record.job_id)
        if found is not None:
            self.record = self._here(found)
        return self.record

    def history(self) -> Sequence[Step]:
        """Each change of its state, as the daemon entered it."""
        return self._store.book.history(self.record.job_id) or told(self.record)

    def payload(self) -> bytes:
        """What it was given, byte for byte as it came.

        Raises:
            NotFound: it waits in the broker, with its run, or was lost with a damaged ledger.
        """
        payload = self._store.book.payload(self.record.job_id)
        if payload:
            return payload
        entered = self._store.book.get(self.record.job_id) is not None
        what = "was lost with a damaged ledger" if entered else "waits in the broker"
        raise NotFound(
            f"the payload of the run {what}",
            where=f"job {self.record.job!r}, run {self.record.job_id}",
            remedy="give it: --payload",
        )

    def checkpoint(self) -> bytes | None:
        """What it has yielded last, as the ledger has it."""
        return self._store.book.checkpoint(self.record.job_id)

    def cancel(self) -> Cancellation:
        """Cancel it through its job's invoker; one that has ended, nobody need be asked about.

        Raises:
            UnknownRun, InvokeError: as the invoker's.
        """
        record = self.refresh()
        if record.state.final:
            return Cancellation(record.job_id, record.job, record.state, record.state)
        if self._store.book.get(record.job_id) is None:
            return self._never_started()
        done = self._store.invoker(record.job).named(record.job_id).cancel()
        return replace(done, was=record.state, state=record.state) if done.waits else done

    def _never_started(self) -> Cancellation:
        """Cancel one that waits in the broker: the cancellation waits behind it, and the next
        daemon of this folder need not see it."""
        job_id, job, queued = self.record.job_id, self.record.job, self._store.queued
        try:
            done = self._store.invoker(job).named(job_id).cancel()
        except CloudNotRunning:  # it is this folder's own, and nobody else's
            done = None
        except UnknownRun:
            queued.forget(job_id)
            raise
        if done and not done.waits:
            return done
        queued.cancel(job_id)
        return Cancellation(job_id, job, State.QUEUED, self.refresh().state)

    def output(self, *, follow: bool, everything: bool = False) -> Iterator[bytes]:
        """What its log file has; everything in it is the run's own.

        Raises:
            UnknownRun: it has run, and its log file is gone.
        """
        while not self.refresh().log:  # no daemon has taken it
            if not follow or self.record.state.final:
                return
            sleep(POLL)
        log = Path(self.record.log)
        if follow:
            yield from logfile.follow(log, self.refresh)
        elif self._closes_soon():
            yield from logfile.follow(log, self.refresh, late=LATE)
        else:
            yield from logfile.read(log)
        ended = self.record.state.final and self.record.started_at is not None
        if ended and not logfile.exists(log):
            where = str(log)
            raise UnknownRun("the run's log file is gone", where=where, remedy="run the job again")

    def tended(self) -> bool:
        """Whether a `devbridge dev` of this folder goes on with it."""
        return self._store.tended()

    def _closes_soon(self) -> bool:
        """Whether it has just ended, and its worker's process has not."""
        open_ = self.record.state.final and not self.record.closed
        return open_ and time() - (self.record.ended_at or 0.0) < LATE and self.tended()

    def _here(self, record: RunRecord) -> RunRecord:
        """The record with its log where it is now: the app's folder may have been moved."""
        name = record.log.rpartition("/")[2]
        here = f"{self._store.logs}/{name}" if name else ""
        return record if here in ("", record.log) else replace(record, log=here)
