"""The runs of a deployed job: builds of AWS CodeBuild.

The standard library only: it is part of the invokers' zips, and botocore's clients are passed in.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final, TypeAlias

from devbridge.errors import (
    CloudError,
    NotDeployed,
    NotFound,
    PayloadTooLarge,
    UnknownJob,
    UnknownRun,
)
from devbridge.protocol.codec import job_id as key_id
from devbridge.runs.base import Cancellation, RunRecord, Started, Step, told
from devbridge.runs.builds import Build, concurrency_of, interpret, is_build_id
from devbridge.runs.kept import RESULT_DAYS, Kept
from devbridge.runs.model import State
from runner import concurrency, documents
from runner.outcome import MAX_INLINE, Failure

BATCH: Final = 100
"""CodeBuild's BatchGetBuilds takes no more ids at once."""
POLL: Final = 2.0
"""Seconds between two questions to CodeBuild about one run."""


Output: TypeAlias = "Callable[[CodeBuildRun, bool, bool], Iterator[bytes]]"
"""Reads what a run has printed: given the run, whether to follow it, and whether to read all that
its build has printed."""


class CodeBuildStore:
    """The runs of one deployed job of one stage."""

    def __init__(
        self,
        codebuild: Any,
        s3: Callable[[], Any],
        *,
        app: str,
        stage: str,
        job: str,
        project: str,
        bucket: str,
        container: bool = False,
        inline: bool = False,
        encryption_key: str | None = None,
        output: Output | None = None,
        poll: float = POLL,
    ) -> None:
        """
        Args:
            codebuild: botocore's client.
            s3: gives botocore's client, when it is needed.
            project: the job's CodeBuild project.
            bucket: the asset bucket.
            container: the job has no runner that could read a payload from S3.
            inline: a small payload may be in the build's environment, which CodeBuild shows for a
                year to all who may read builds.
            encryption_key: the ARN of the KMS key for payloads; None for the bucket's own.
            output: reads what a run has printed, see `devbridge.runs.cloudwatch`; who gives none
                cannot.
            poll: seconds, see `POLL`.
        """
        self.kept = Kept(s3, bucket, f"{app}/{stage}/{job}", encryption_key)
        self.job = job
        self.output = output
        self.poll = poll
        self._codebuild = codebuild
        self._app, self._stage = app, stage
        self._project = project
        self._container = container
        self._inline = inline or container

    def owns(self, run_id: str) -> bool:
        """Whether this is, or begins as, the id of a build of the job's project."""
        return run_id.startswith(f"{self._project}:")

    def start(self, job: str, payload: bytes, *, key: str, remember: bool) -> Started:
        """Start a run. The same key is the same run for 5 minutes, which is CodeBuild's own rule,
        or with `remember` for 30 days.

        Raises:
            UnknownJob: it is the store of another job.
            PayloadTooLarge: a container job takes 8 KiB.
            ClientError: CodeBuild or S3 refused.
        """
        from botocore.exceptions import ClientError

        if job != self.job:
            raise UnknownJob(f"there is no job {job!r} here", where=f"project {self._project}")
        token = key_id(self._app, self._stage, self.job, key)
        if remember and (known := self._build(self.kept.remembered(token))):
            return Started(CodeBuildRun(self, known), duplicate=True)
        name, value, made = self._payload(payload, token)
        try:
            build = self._codebuild.start_build(
                projectName=self._project,
                idempotencyToken=token,
                environmentVariablesOverride=[{"name": name, "value": value, "type": "PLAINTEXT"}],
            )["build"]
        except ClientError as error:
            if made and error.response["ResponseMetadata"]["HTTPStatusCode"] < 500:
                self.kept.delete(value)
            raise
        found = interpret(build, job=self.job)
        if made and found.record.state not in (State.QUEUED, State.STARTING):
            # This token has started a run before, which has read and deleted its payload.
            self.kept.delete(value)
        if remember:
            self.kept.remember(token, build["id"])
        return Started(CodeBuildRun(self, found), duplicate=False)

    def get(self, run_id: str) -> CodeBuildRun:
        """The run with this whole id.

        Raises:
            UnknownRun: this job has no such run.
        """
        return CodeBuildRun(self, self.build(run_id))

    def find(self, prefix: str, job: str | None = None) -> Sequence[CodeBuildRun]:
        """The runs whose id, or the part of it behind the project's name, begins so.

        Raises:
            NotDeployed: the job has no project.
        """
        if job not in (None, self.job) or not prefix:
            return []
        ids = [
            run_id
            for page in self._pages()
            for run_id in page
            if run_id.startswith(prefix) or run_id.partition(":")[2].startswith(prefix)
        ]
        return [CodeBuildRun(self, self._with_message(found)) for found in self._interpreted(ids)]

    def recent(
        self, limit: int, job: str | None = None, state: State | None = None
    ) -> Sequence[CodeBuildRun]:
        """The newest runs, the newest first. Messages of errors that are in S3 are left there.

        Raises:
            NotDeployed: the job has no project.
        """
        found: list[CodeBuildRun] = []
        for ids in self._pages() if job in (None, self.job) else ():
            some = ids[:limit] if state is None else ids
            builds = self._interpreted(some)
            found += [CodeBuildRun(self, b) for b in builds if state in (None, b.record.state)]
            if len(found) >= limit:
                break
        return found[:limit]

    # --- for its runs -----------------------------------------------------------------------

    def build(self, run_id: str) -> Build:
        """What is known of a run, with its error's message.

        Raises:
            UnknownRun: this job has no such run.
        """
        found = self._build(run_id)
        if found is None:
            raise UnknownRun(
                f"nothing is known of a run {run_id!r}", where=f"project {self._project}"
            )
        return self._with_message(found)

    def stop(self, run_id: str) -> Build:
        """Stop a build."""
        return interpret(self._codebuild.stop_build(id=run_id)["build"], job=self.job)

    def _with_message(self, found: Build) -> Build:
        """The run with its error's message, if S3 still has it."""
        failure = found.record.failure
        if not found.error_at or failure is None:
            return found
        body = self.kept.read(found.error_at)
        if body is None:
            message = f"its message is not in S3: it is kept for {RESULT_DAYS} days"
            failure = Failure(failure.type, message)
        else:
            failure = documents.read(json.loads(body))
        return replace(found, record=replace(found.record, failure=failure))

    def _payload(self, payload: bytes, token: str) -> tuple[str, str, bool]:
        """The variable that gives the payload to the build, its value, and whether it names an
        object of S3 that was made for it."""
        # A lone surrogate, which JSON allows, is no text for AWS; escaped, it is the same JSON.
        payload = payload.decode("utf-8", "surrogatepass").encode("utf-8", "backslashreplace")
        if self._inline and len(payload) <= MAX_INLINE:
            return "DEVBRIDGE_PAYLOAD", payload.decode(), False
        if self._container:
            raise PayloadTooLarge(
                f"the payload has {len(payload):,} bytes; a container job takes {MAX_INLINE:,}",
                where=f"job {self.job!r}",
                remedy="put it in S3 and send the key",
            )
        # The same token must come with the same parameters.
        return "DEVBRIDGE_PAYLOAD_KEY", *self.kept.put_payload(token, payload)

    # --- builds -----------------------------------------------------------------------------

    def _pages(self) -> Iterator[Sequence[str]]:
        """The ids of the project's builds, the newest first.

        Raises:
            NotDeployed: there is no such project.
        """
        more: dict[str, str] = {}
        while True:
            try:
                page = self._codebuild.list_builds_for_project(
                    projectName=self._project, sortOrder="DESCENDING", **more
                )
            except self._codebuild.exceptions.ResourceNotFoundException as error:
                raise NotDeployed(
                    f"the job {self.job!r} is not deployed", where=f"project {self._project}"
                ) from error
            yield page["ids"]
            if not page.get("nextToken"):
                return
            more = {"nextToken": page["nextToken"]}

    def _build(self, run_id: str) -> Build | None:
        if not self.owns(run_id) or not is_build_id(run_id):
            return None
        return next(self._interpreted([run_id]), None)

    def _interpreted(self, ids: Iterable[str]) -> Iterator[Build]:
        """The runs of these ids, in their order."""
        wanted, running = list(ids), None
        for start in range(0, len(wanted), BATCH):
            some = wanted[start : start + BATCH]
            found = {b["id"]: b for b in self._codebuild.batch_get_builds(ids=some)["builds"]}
            for build in (found[run_id] for run_id in some if run_id in found):
                limit = concurrency_of(build)
                if limit and running is None:
                    running = self._running()
                waiting = bool(limit) and concurrency.ahead(running or (), build["id"]) >= limit
                yield interpret(build, waiting, self.job)

    def _running(self) -> Sequence[concurrency.Build]:
        return concurrency.in_progress(
            self._codebuild.list_builds_for_project,
            self._codebuild.batch_get_builds,
            self._project,
            time.time(),
        )


class CodeBuildRun:
    """One build."""

    printers: Final = "CodeBuild"

    def __init__(self, store: CodeBuildStore, build: Build) -> None:
        self._store = store
        self.build = build
        self.poll = store.poll

    @property
    def record(self) -> RunRecord:
        """What was last known of it."""
        return self.build.record

    def refresh(self, *, result: bool = False) -> RunRecord:
        """Ask CodeBuild again, unless the run had ended.

        Raises:
            UnknownRun: CodeBuild has forgotten it, which it does after a year.
            CloudError: the result was large, and S3 does not have it any more.
        """
        if not self.record.state.final:
            self.build = self._store.build(self.record.job_id)
        at = self.build.result_at
        if result and at:
            body = self._store.kept.read(at)
            if body is None:
                raise CloudError(
                    "the result is not in S3",
                    where=f"s3://{self._store.kept.bucket}/{at}",
                    remedy=f"large results are kept for {RESULT_DAYS} days: run the job again",
                )
            self.build = replace(self.build, record=replace(self.record, result=body), result_at="")
        return self.record

    def payload(self) -> bytes:
        """What it was given.

        Raises:
            NotFound: S3 has nothing left of it.
        """
        if not self.build.payload_at:
            return (self.build.payload or "null").encode()
        payload = self._store.kept.payload(self.build.payload_at)
        if payload is None:
            raise NotFound(
                "the payload of the run is not kept any more: S3 has it for about a day after the"
                " run has read it",
                where=f"s3://{self._store.kept.bucket}/{self.build.payload_at}",
                remedy="give it: --payload",
            )
        return payload

    def history(self) -> Sequence[Step]:
        """Each change of its state that its times tell."""
        return told(self.record)

    def cancel(self) -> Cancellation:
        """Stop the build, unless it had ended."""
        was = now = self.record
        if not was.state.final:
            self.build = self._store.stop(was.job_id)
            now = self.record
        # It will never start, though it may take a moment until the build says so.
        state = State.CANCELLED if was.state is State.QUEUED else now.state
        return Cancellation(was.job_id, was.job, was.state, state)

    def output(self, *, follow: bool, everything: bool = False) -> Iterator[bytes]:
        """What the run has printed, or with `everything` what the build has.

        Raises:
            CloudError: this store cannot read it.
        """
        if self._store.output is None:
            raise CloudError("the output of runs cannot be read from here")
        return self._store.output(self, follow, everything)

    def tended(self) -> bool:
        """CodeBuild goes on with every build."""
        return True
