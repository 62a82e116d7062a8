"""One stage's runs, wherever they are: which store has the one that is asked for."""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from devbridge.errors import CloudError, InvokeError, NotFound, UnknownRun
from devbridge.protocol.ids import is_id
from devbridge.runs.base import SHORT, Found, Run, RunRecord, Started, Wanted
from devbridge.runs.deployed_ids import names_deployed, short_deployed
from devbridge.runs.model import State
from devbridge.runs.searching import fits
from devbridge.runs.text import iso

if TYPE_CHECKING:
    from devbridge.config import Config
    from devbridge.runs.invoker import InvokerStore
    from devbridge.runs.ledger_store import LedgerStore
    from devbridge.runs.scheduled_store import ScheduledStore
    from devbridge.runs.stage import DeployedStore

NOT_YET: Final = "it starts when `devbridge dev` runs: nobody runs it now"
"""What is said of a run that is `StageRuns.awaited`."""


def mark_deployed(config: Config) -> None:
    """Note that the stage's jobs run in the cloud now: `devbridge deploy` has deployed them."""
    config.make_dirs()
    _marker(config).touch(mode=0o600)


def mark_dev(config: Config) -> None:
    """Note that the stage's jobs run in `devbridge dev` now."""
    _marker(config).unlink(missing_ok=True)


def is_deployed(config: Config) -> bool:
    """Whether the stage's runs are deployed ones, as far as this folder knows: it was deployed from
    here last, or no `devbridge dev` has ever run it here."""
    return _marker(config).exists() or not config.ledger.exists()


def takes_later(config: Config) -> bool:
    """Whether the app had a job that takes runs for a later time when it was last deployed from
    here."""
    try:
        return bool(json.loads(config.later_jobs.read_bytes()))
    except (FileNotFoundError, ValueError):
        return False


def _marker(config: Config) -> Path:
    return config.stage_dir / "deployed"


class StageRuns:
    """All runs of a stage."""

    def __init__(
        self,
        *,
        live: LedgerStore | None,
        deployed: Callable[[], DeployedStore],
        invoker: Callable[[str], InvokerStore],
        is_deployed: bool,
        scheduled: Callable[[], ScheduledStore],
        takes_later: bool,
    ) -> None:
        """
        Args:
            live: the ledger's runs, if there is a ledger.
            deployed: gives the deployed jobs' runs, when they are asked for.
            invoker: gives what reaches the runs of the job of that name, wherever they are.
            is_deployed: a run that is not named for certain may be a deployed one.
            scheduled: gives the runs that wait for their time, likewise.
            takes_later: some of them may be live ones: `takes_later`.
        """
        self.is_deployed = is_deployed
        self._live = live
        self._deployed = deployed
        self._invoker = invoker
        self._scheduled = scheduled
        self._takes_later = takes_later

    def find(self, given: str, job: str | None = None) -> Run:
        """The run that is named by its id or the beginning of it, as git finds a commit.

        A store that owns such an id is the only one that is asked. Else it is the ledger's run, or,
        where the stage is deployed, a deployed one; or one that only its job's invoker may know.
        What waits for its time is looked for before a deployed one: it is neither's.

        Raises:
            UnknownRun: there is no such run, or there are several.
            NotFound: it is a run of another job.
        """
        owned = names_deployed(given)
        anywhere = owned or self.is_deployed
        ask: list[Callable[[], Sequence[Run]]] = []
        if not owned and (live := self._live) is not None:
            ask.append(lambda: live.find(given, job))
        if anywhere or self._takes_later:
            ask.append(lambda: self._scheduled().find(given, self.closest))
        if anywhere:
            ask.append(lambda: self._deployed().find(given, job))
        for asked in ask:
            found = asked()
            if len(found) > 1:
                raise _ambiguous(found, given)
            if found:
                return self._taken(_of_job(found[0], job), given, job)
        return self._elsewhere(given, job)

    def named(self, job: str, uuids: Sequence[str]) -> dict[str, RunRecord]:
        """What is known here of those runs of a job that there are, by what names them in it: their
        ids without a project's name. Their invoker is not asked."""
        live = self._live
        records = [live.known(uuid) for uuid in uuids] if live is not None else []
        found = {record.job_id: record for record in records if record is not None}
        left = [uuid for uuid in uuids if uuid not in found]
        if self.is_deployed and left:
            runs = self._deployed().named(job, left)
            found |= {run.record.job_id.rpartition(":")[2]: run.record for run in runs}
        return found

    def recent(
        self, limit: int, job: str | None, state: State | None, *, deployed: bool
    ) -> Sequence[tuple[str, Run]]:
        """The newest runs of `devbridge dev` or, if it is `deployed` ones that are asked for, of
        the deployed jobs; each with the shortest id that `find` understands."""
        live = None if deployed else self._live
        waiting: Sequence[Run] = ()
        if state in (None, State.SCHEDULED) and (live is None or self._takes_later):
            waiting = self._scheduled().recent(limit, job, self.closest)
        runs: Sequence[Run] = ()
        if state is not State.SCHEDULED or (live is None and not waiting):  # is there that stage?
            runs = (live or self._deployed()).recent(limit, job, state)
        if waiting:
            both = sorted([*waiting, *runs], key=lambda run: run.record.created_at or 0.0)
            runs = both[: -limit - 1 : -1]
        ids = [run.record.job_id for run in runs]
        if live is None:
            return list(zip(short_deployed(ids, alone=self.is_deployed), runs, strict=True))
        return [(live.short_id(run_id, ids), run) for run_id, run in zip(ids, runs, strict=True)]

    def search(
        self, wanted: Wanted, *, limit: int, deployed: bool, after: str | None = None
    ) -> Found:
        """The newest runs that are wanted, of `devbridge dev` or of the deployed jobs; the first
        page has those that wait for their time besides."""
        live = None if deployed else self._live
        found = (live or self._deployed()).search(wanted, limit=limit, after=after)
        any_ = not wanted.states or State.SCHEDULED in wanted.states
        if after is not None or not any_ or not (live is None or self._takes_later):
            return found
        later = self._scheduled().recent(limit, wanted.job, self.closest)
        waiting = [run for run in later if fits(run, wanted)]
        total = None if found.total is None else found.total + len(waiting)
        return replace(found, runs=[*waiting, *found.runs], total=total)

    def must_have(self, job: str) -> None:
        """Return if there is a job of that name, or there was one.

        Raises:
            UnknownJob: there is not; the error lists those there are.
            AppError: app.py cannot be loaded.
        """
        if self._live is None or not self._live.recent(1, job):
            self._deployed().must_have(job)

    def start(
        self,
        job: str,
        payload: bytes,
        *,
        key: str | None = None,
        checkpoint: bytes | None = None,
        at: datetime | None = None,
    ) -> Started:
        """Start a run through the job's invoker.

        Args:
            key: a user's own: the same key is the same run for as long as runs are remembered.
            at: when it is to start, in UTC; None: now.

        Raises:
            UnknownJob, NotDeployed, PayloadTooLarge, InvokeError: as `InvokerStore.start`.
        """
        started = self._invoker(job).start(
            job,
            payload,
            # Without a key, a retry of the call by botocore would start the job twice.
            key=str(uuid.uuid4()) if key is None else key,
            remember=key is not None,
            checkpoint=checkpoint,
            at=at,
        )
        record = started.run.record
        if self._live is not None and not names_deployed(record.job_id):
            self._live.note(record)
        return started

    def closest(self, started: Run) -> Run:
        """A run that was started here, as the store has it that knows most of it; one that waits
        for its time no store has.

        Raises:
            UnknownRun: it is a deployed one that is not known any more.
        """
        record = started.record
        if record.state is State.SCHEDULED:
            return started
        if names_deployed(record.job_id):
            return self._deployed().get(record.job_id)
        return started if self._live is None else self._live.expect(record)

    def awaited(self, started: Run) -> bool:
        """Whether a run that was started here waits for this folder's `devbridge dev`."""
        record = started.record
        return (
            self._live is not None
            and record.state is State.QUEUED
            and not names_deployed(record.job_id)
            and self._live.awaited(record.job_id)
        )

    def mentioned(self, run_id: str) -> str:
        """What to call a run by in a command that somebody is told to type."""
        return run_id if names_deployed(run_id) else run_id[:SHORT]

    def _taken(self, run: Run, given: str, job: str | None) -> Run:
        """A run that is known here; or, if it seems to wait for a daemon and may be asked for as
        one elsewhere, as the daemon tells of it that has taken it."""
        record, live = run.record, self._live
        if record.state is State.SCHEDULED:
            return run
        if job is None or not is_id(given.lower()) or live is None or live.book.get(record.job_id):
            return run
        with contextlib.suppress(InvokeError, CloudError, NotFound):
            return self._invoker(job).get(record.job_id)
        return run

    def _elsewhere(self, given: str, job: str | None) -> Run:
        """A run that is to be asked for with its whole id and its job.

        Raises:
            UnknownRun: it is not named so.
        """
        whole = given.lower()
        if job is not None and is_id(whole):
            return self._invoker(job).named(whole)
        raise UnknownRun(
            f"no run has an id that begins with {given!r}",
            remedy="if it runs elsewhere, name its job: --job NAME"
            if is_id(whole)
            else "see `devbridge jobs`",
        )


def _of_job(run: Run, job: str | None) -> Run:
    record = run.record
    if job not in (None, record.job):
        raise NotFound(
            f"the run {record.job_id} is one of job {record.job!r}, not of {job!r}",
            remedy="leave --job out",
        )
    return run


def _ambiguous(found: Sequence[Run], given: str) -> UnknownRun:
    records = [run.record for run in found]
    listed = "\n".join(
        f"    {record.job_id}  {record.job}  {record.state}  {iso(record.created_at or 0)}"
        for record in records
    )
    return UnknownRun(
        f"{len(found)} runs have an id that begins with {given!r}:\n{listed}",
        remedy="give more of the id",
    )


def resumes_at(before: Run) -> bytes | None:
    """The checkpoint where a run goes on that has ended without success; None: at its beginning."""
    state = before.record.state
    if not state.final or state is State.SUCCEEDED:
        return None
    from runner.invocation import is_none

    checkpoint = before.checkpoint()
    return None if checkpoint is None or is_none(checkpoint) else checkpoint
