"""The runs of a deployed job, whatever runs them: S3 has the records, a provider runs them.

The standard library only: it is part of the invokers' zips, and botocore's clients are passed in.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final, Protocol, TypeAlias

from devbridge.errors import CloudError, InvokeError, NotFound, UnknownJob, UnknownRun
from devbridge.protocol.codec import is_id
from devbridge.runs.base import Cancellation, Found, Run, RunRecord, Started, Step, Wanted, told
from devbridge.runs.builds import is_build_id
from devbridge.runs.deciding import FORGOTTEN, Decided, Known, decide
from devbridge.runs.kept import RESULT_DAYS
from devbridge.runs.model import State
from devbridge.runs.providers.known import FIRST
from devbridge.runs.reading import Reader
from devbridge.runs.records import Log
from devbridge.runs.searching import fits
from devbridge.runs.starting import Starter
from runner import documents
from runner.outcome import Failure
from runner.places import Places

POLL: Final = 2.0
"""Seconds between two questions about one run."""
_PAGE: Final = 50
"""Runs of the list whose records are read at once, when only some of them are wanted."""
_LOOKED: Final = 200
"""Runs that are looked at for one page of a search."""

Output: TypeAlias = "Callable[[DeployedRun, bool, bool], Iterator[bytes]]"
"""Reads what a run has printed: given the run, whether to follow it, and whether to read all that
its machine has printed."""


class Through(Protocol):
    """The job's invoker, which starts and ends runs for who may not: see `InvokerStore`."""

    def start(
        self, job: str, payload: bytes, *, key: str, remember: bool, checkpoint: bytes | None
    ) -> Started:
        """See `RunStore.start`."""

    def get(self, run_id: str) -> Run:
        """See `RunStore.get`."""


class DeployedRuns:
    """The runs of one deployed job of one stage."""

    def __init__(
        self,
        reader: Reader,
        *,
        starter: Starter | None = None,
        through: Through | None = None,
        output: Output | None = None,
        poll: float = POLL,
        now: Callable[[], float] = time.time,
    ) -> None:
        """
        Args:
            starter: starts and ends runs.
            through: the job's invoker, if there is no `starter`.
            output: reads what a run has printed, see `devbridge.runs.cloudwatch`; who gives none
                cannot.
            poll: seconds, see `POLL`.
            now: seconds since the epoch.
        """
        self.reader = reader
        self.kept = reader.kept
        self.starter = starter
        self.through = through
        self.output = output
        self.poll = poll
        self.now = now
        self._mended: dict[str, float] = {}
        """When the invoker was asked about runs that wait for their turn: it looks whose it is."""
        self.job = reader.deployment.job
        self._project = reader.deployment.project

    def owns(self, run_id: str) -> bool:
        """Whether this is, or begins as, the id of a run of the job."""
        return run_id.startswith(f"{self._project}:")

    def start(
        self,
        job: str,
        payload: bytes,
        *,
        key: str,
        remember: bool,
        checkpoint: bytes | None = None,
    ) -> Started:
        """Start a run. The same key is the same run for as long as S3 knows of it.

        Raises:
            UnknownJob: it is the store of another job.
            PayloadTooLarge: a container job takes 8 KiB.
            NoRoom, ClientError, BotoCoreError: AWS has refused.
        """
        if job != self.job:
            raise UnknownJob(f"there is no job {job!r} here", where=f"project {self._project}")
        if self.starter is None:
            through = self._through()
            return through.start(job, payload, key=key, remember=remember, checkpoint=checkpoint)
        uuid, new = self.starter.start(payload, key=key, checkpoint=checkpoint)
        known = self.reader.placed(uuid) if new else self.reader.known(uuid)
        if known is None:
            raise self._unknown(uuid)
        return Started(self._run(known), duplicate=not new)

    def get(self, run_id: str) -> DeployedRun:
        """The run with this whole id.

        Raises:
            UnknownRun: this job has no such run.
        """
        known = self._known(run_id)
        if known is None:
            raise self._unknown(run_id)
        return self._run(self.mended(known), message=True)

    def find(self, prefix: str, job: str | None = None) -> Sequence[DeployedRun]:
        """The runs whose id, or the part of it behind the project's name, begins so."""
        if job not in (None, self.job) or not prefix:
            return []
        if self.owns(prefix) or is_id(prefix):
            prefix = prefix.removeprefix(f"{self._project}:")
            if is_id(prefix):
                known = self._known(f"{self._project}:{prefix}")
                return [] if known is None else [self._run(self.mended(known), message=True)]
        elif f"{self._project}:".startswith(prefix):
            prefix = ""
        return self.named(list(self.kept.newest(prefix)))

    def named(self, uuids: Sequence[str]) -> Sequence[DeployedRun]:
        """The runs that have one of these names within the job; they need not exist."""
        return [self._run(known, message=True) for known in self.reader.all(uuids)]

    def recent(
        self, limit: int, job: str | None = None, state: State | None = None
    ) -> Sequence[DeployedRun]:
        """The newest runs, the newest first. Messages of errors that are in S3 are left there."""
        found: list[DeployedRun] = []
        uuids = self.kept.newest() if job in (None, self.job) else iter(())
        while len(found) < limit:
            some = list(islice(uuids, limit if state is None else _PAGE))
            if not some:
                break
            runs = (self._run(known) for known in self.reader.all(some))
            found += [run for run in runs if state in (None, run.record.state)]
        return found[:limit]

    def search(self, wanted: Wanted, *, limit: int, after: str | None = None) -> Found:
        """The newest runs that are wanted, among the `_LOOKED` that come next. Their places in the
        list (`position`) say where it goes on."""
        places = self.kept.places
        if after is None and wanted.until is not None:
            after = places.in_list("", wanted.until).rpartition("/")[2].removesuffix("-")
        start = f"{places.listed}{after}" if after else ""
        uuids = self.kept.newest(after=start) if wanted.job in (None, self.job) else iter(())
        found: list[DeployedRun] = []
        for _ in range(_LOOKED // _PAGE):
            some = list(islice(uuids, _PAGE))
            runs = [self._run(known, message=True) for known in self.reader.all(some)]
            found += [run for run in runs if fits(run, wanted)]
            if len(some) < _PAGE or (runs and _before(runs[-1], wanted)):
                return _page(found, limit, None)
            if len(found) >= limit:
                break
        return _page(found, limit, position(runs[-1].record) if runs else None)

    # --- for its runs -----------------------------------------------------------------------

    def mended(self, known: Known) -> Known:
        """What is known of a run after its start was gone on with, should that be left undone."""
        decided = decide(known, self.now())
        waits = known.place is None and not decided.record.state.final
        if not waits and not decided.restart:
            return known
        done = self._invoked(known) if self.starter is None else self.starter.mend(known)
        return (self.reader.again(known) or known) if done else known

    def _invoked(self, known: Known) -> bool:
        """Whether the invoker was asked about a run, which goes on with it then: once it is late,
        for one that waits for its turn may wait for something that nobody was told of."""
        late = self.now() - self._mended.get(known.uuid, known.claim.created_at) > FORGOTTEN
        if self.through is None or not late:
            return False
        if self.reader.deployment.waits:
            self._mended[known.uuid] = self.now()
        with contextlib.suppress(InvokeError, CloudError, NotFound):
            self.through.get(known.run_id)
        return True

    def again(self, known: Known) -> Known:
        """What is known of a run now.

        Raises:
            UnknownRun: it has been forgotten.
        """
        found = self.reader.again(known)
        if found is None:
            raise self._unknown(known.run_id)
        return self.mended(found)

    def cancel(self, known: Known) -> None:
        """End a run."""
        if self.starter is None:
            self._through().get(known.run_id).cancel()
        else:
            self.starter.cancel(known)

    def decided(self, known: Known, *, message: bool) -> Decided:
        """What has become of a run; with its error's `message`, if S3 still has it."""
        found = decide(known, self.now())
        failure = found.record.failure
        if not message or not found.error_at or failure is None:
            return found
        body = self.kept.read(found.error_at)
        if body is None:
            text = f"its message is not in S3: it is kept for {RESULT_DAYS} days"
            failure = Failure(failure.type, text)
        else:
            failure = documents.read(json.loads(body))
        return replace(found, record=replace(found.record, failure=failure))

    def printers_of(self, known: Known) -> str:
        """Who else writes to a run's log."""
        return "" if known.place is None else self.reader.provider(known.place.compute).printers

    def _run(self, known: Known, *, message: bool = False) -> DeployedRun:
        return DeployedRun(self, known, self.decided(known, message=message))

    def _known(self, run_id: str) -> Known | None:
        if not self.owns(run_id) or not is_build_id(run_id):
            return None
        found = self.reader.known(run_id.rpartition(":")[2])
        if found is not None:
            return found
        # The invoker of a job that runs elsewhere may not ask for it.
        asks = self.starter is None or self.reader.deployment.compute == FIRST
        return self.reader.older(run_id) if asks else None

    def _through(self) -> Through:
        if self.through is None:
            raise CloudError("runs cannot be started or ended from here")
        return self.through

    def _unknown(self, run_id: str) -> UnknownRun:
        where = f"project {self._project}"
        return UnknownRun(f"nothing is known of a run {run_id!r}", where=where)


def position(record: RunRecord) -> str:
    """Where a run is in the list of its job; in order, the newest first."""
    uuid = record.job_id.rpartition(":")[2]
    return Places("").in_list(uuid, record.created_at or 0.0).rpartition("/")[2]


def _before(run: DeployedRun, wanted: Wanted) -> bool:
    """Whether it, and all that follow, are too old."""
    return wanted.since is not None and (run.record.created_at or 0.0) < wanted.since


def _page(found: Sequence[DeployedRun], limit: int, after: str | None) -> Found:
    """What is left out for the limit comes again behind the last one that is not."""
    cut = found[:limit]
    return Found(cut, position(cut[-1].record) if len(found) > limit else after)


class DeployedRun:
    """One run."""

    def __init__(self, store: DeployedRuns, known: Known, decided: Decided) -> None:
        self._store = store
        self._known = known
        self._decided = decided
        self.poll = store.poll

    @property
    def record(self) -> RunRecord:
        """What was last known of it."""
        return self._decided.record

    @property
    def printers(self) -> str:
        """Who else writes to its log."""
        return self._store.printers_of(self._known)

    @property
    def logs(self) -> Sequence[Log]:
        """Where its output is, the first machine's first: groups and streams."""
        return self._decided.logs

    @property
    def compute(self) -> str:
        """What runs it, by name."""
        place = self._known.place
        return self._known.claim.compute if place is None else place.compute

    def refresh(self, *, result: bool = False) -> RunRecord:
        """Ask again, unless the run had ended.

        Raises:
            UnknownRun: it has been forgotten.
            CloudError: the result was large, and S3 does not have it any more.
        """
        if not self.record.state.final:
            self._known = self._store.again(self._known)
            self._decided = self._store.decided(self._known, message=True)
        at = self._decided.result_at
        if result and at:
            body = self._store.kept.read(at)
            if body is None:
                raise CloudError(
                    "the result is not in S3",
                    where=f"s3://{self._store.kept.bucket}/{at}",
                    remedy=f"large results are kept for {RESULT_DAYS} days: run the job again",
                )
            record = replace(self.record, result=body)
            self._decided = replace(self._decided, record=record, result_at="")
        return self.record

    def payload(self) -> bytes:
        """What it was given.

        Raises:
            NotFound: S3 has nothing left of it.
        """
        claim = self._known.claim
        if not claim.payload_at:
            return (claim.payload or "null").encode()
        payload = self._store.kept.payload(claim.payload_at)
        if payload is None:
            raise NotFound(
                "the payload of the run is not kept any more: S3 has it for about a day after the"
                " run has ended",
                where=f"s3://{self._store.kept.bucket}/{claim.payload_at}",
                remedy="give it: --payload",
            )
        return payload

    def checkpoint(self) -> bytes | None:
        """The last value that its handler has yielded, and that was stored; a JSON text."""
        return self._store.kept.checkpoint(self._known.uuid)

    def history(self) -> Sequence[Step]:
        """Each change of its state that its times tell."""
        return told(self.record)

    def cancel(self) -> Cancellation:
        """Cancel it, unless it had ended."""
        was = self.record
        if not was.state.final or self._lingers():
            self._store.cancel(self._known)
            self._known = self._store.again(self._known)
            self._decided = self._store.decided(self._known, message=True)
        now = self.record
        # It will never start, though it may take a moment until its provider says so.
        state = State.CANCELLED if was.state is State.QUEUED else now.state
        return Cancellation(was.job_id, was.job, was.state, state)

    def _lingers(self) -> bool:
        """Whether it was cancelled, and its provider goes on with it."""
        place = self._known.place
        if self.record.state is not State.CANCELLED or place is None:
            return False
        look = self._store.reader.look(place)
        return look is not None and not look.state.final

    def output(self, *, follow: bool, everything: bool = False) -> Iterator[bytes]:
        """What the run has printed, or with `everything` what its machine has.

        Raises:
            CloudError: this store cannot read it.
        """
        if self._store.output is None:
            raise CloudError("the output of runs cannot be read from here")
        return self._store.output(self, follow, everything)

    def tended(self) -> bool:
        """Its provider goes on with every run."""
        return True
