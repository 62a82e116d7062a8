"""The runs of a deployed job, whatever runs them: S3 has the records, a provider runs them.

The standard library only: it is part of the invokers' zips, and botocore's clients are passed in.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final, Protocol, TypeAlias

from devbridge.errors import CloudError, InvokeError, NotFound, UnknownJob, UnknownRun
from devbridge.runs.base import Cancellation, Run, RunRecord, Started, Step, told
from devbridge.runs.builds import is_build_id
from devbridge.runs.deciding import FORGOTTEN, Decided, Known, decide
from devbridge.runs.kept import RESULT_DAYS
from devbridge.runs.model import State
from devbridge.runs.providers.known import FIRST
from devbridge.runs.reading import Reader
from devbridge.runs.records import Log
from devbridge.runs.starting import Starter
from runner import documents
from runner.outcome import Failure

POLL: Final = 2.0
"""Seconds between two questions about one run."""

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
    """The runs of one deployed job of one stage, as its invoker needs them: started, and got by
    their ids. See `ListedRuns`."""

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
        self.project = reader.deployment.project

    def owns(self, run_id: str) -> bool:
        """Whether this is, or begins as, the id of a run of the job."""
        return run_id.startswith(f"{self.project}:")

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
            raise UnknownJob(f"there is no job {job!r} here", where=f"project {self.project}")
        if self.starter is None:
            through = self._through()
            return through.start(job, payload, key=key, remember=remember, checkpoint=checkpoint)
        uuid, new = self.starter.start(payload, key=key, checkpoint=checkpoint)
        known = self.reader.placed(uuid) if new else self.reader.known(uuid)
        if known is None:
            raise self._unknown(uuid)
        return Started(self.run(known), duplicate=not new)

    def get(self, run_id: str) -> DeployedRun:
        """The run with this whole id.

        Raises:
            UnknownRun: this job has no such run.
        """
        known = self.known(run_id)
        if known is None:
            raise self._unknown(run_id)
        return self.run(self.mended(known), message=True)

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

    def run(self, known: Known, *, message: bool = False) -> DeployedRun:
        """The run that this is known of; with its error's `message`, if S3 still has it."""
        return DeployedRun(self, known, self.decided(known, message=message))

    def known(self, run_id: str) -> Known | None:
        """What is known of the run with this whole id; None: nothing, or it is not of the job."""
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
        where = f"project {self.project}"
        return UnknownRun(f"nothing is known of a run {run_id!r}", where=where)


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
