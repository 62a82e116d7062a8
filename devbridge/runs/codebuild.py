"""The runs of a deployed job: builds of AWS CodeBuild, in the words that all runs have.

A build's id, ``<project>:<uuid>``, is the run's id. How the handler ended is in the build's
exported variables, which `runner.build` sets. The standard library only: it is part of the
invokers' zips, and botocore's clients are passed in.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from devbridge.errors import CloudError, PayloadTooLarge, UnknownRun
from devbridge.protocol.codec import job_id as key_id
from runner import concurrency
from runner.outcome import ENDED, MAX_INLINE

BATCH: Final = 100
"""CodeBuild's BatchGetBuilds takes no more ids at once."""
RESULT_DAYS: Final = 30
"""How long S3 keeps large results, and the idempotency keys of users."""

_ID: Final = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9_-]{1,254}:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
)
_QUEUED_PHASES: Final = ("SUBMITTED", "QUEUED")
_STARTING_PHASES: Final = ("PROVISIONING", "DOWNLOAD_SOURCE", "INSTALL", "PRE_BUILD")
_HANDLER_PHASE: Final = "BUILD"
_WITHOUT_ERROR: Final = {"SUCCEEDED": "SUCCEEDED", "STOPPED": "CANCELLED"}
_ELSEWHERE: Final = "its message is in S3, `devbridge status` shows it"
_EXIT_STATUS: Final = re.compile(r"exit status (\d+)")
_MISSING: Final = ("NoSuchKey", "404", "AccessDenied", "403")
"""What S3 says of a key that does not exist; without the right to list, that access is denied."""


def is_build_id(text: object) -> bool:
    """Whether this has the form of a build's id."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Build:
    """One run. Times are seconds since the epoch."""

    job_id: str
    job: str
    state: str
    """QUEUED, STARTING, RUNNING, SUCCEEDED, FAILED, CANCELLED, TIMED_OUT or CRASHED."""
    attempt: int = 1
    """The last one's number, known when the run has ended; 0 when it was not told, as by a build
    that was stopped."""
    max_attempts: int = 1
    created_at: float | None = None
    started_at: float | None = None
    ended_at: float | None = None
    result: str | None = None
    """A JSON text, or ``@KEY`` of the asset bucket; None unless it has SUCCEEDED."""
    error_type: str | None = None
    error_message: str | None = None
    phase: str = ""
    log_group: str | None = None
    log_stream: str | None = None
    error_at: str = ""
    """The key of the error in the asset bucket, if its message is not here."""

    @property
    def final(self) -> bool:
        """Whether the run has ended."""
        return self.state in ENDED


Runs: TypeAlias = list[Build]


def interpret(build: Mapping[str, Any], waiting: bool = False) -> Build:
    """What CodeBuild's description of a build says of the run.

    Args:
        waiting: it is not its turn yet, because of the job's `concurrency`.
    """
    told = {v["name"]: v["value"] for v in build.get("exportedEnvironmentVariables") or ()}
    given = {
        v["name"]: v["value"]
        for v in (build.get("environment") or {}).get("environmentVariables") or ()
    }
    if build["buildStatus"] == concurrency.IN_PROGRESS:
        state, error_type, error_message = _running_state(build, waiting), None, None
    else:
        state, error_type, error_message = _end(build, told, given)
    phases = {phase["phaseType"]: phase for phase in build.get("phases") or ()}
    logs = build.get("logs") or {}
    waited = state in ("QUEUED", "STARTING")
    attempts = int(given.get("DEVBRIDGE_ATTEMPTS") or 1)
    # A build that was stopped exports nothing.
    untold = 0 if state in ENDED and attempts > 1 else 1
    # The phase begins before the run's turn has come.
    began = told.get("DEVBRIDGE_STARTED") or phases.get(_HANDLER_PHASE, {}).get("startTime")
    return Build(
        job_id=build["id"],
        job=given.get("DEVBRIDGE_JOB_NAME", ""),
        state=state,
        attempt=int(told.get("DEVBRIDGE_ATTEMPT") or untold),
        max_attempts=attempts,
        created_at=_epoch(build.get("startTime")),
        started_at=None if waited else _epoch(began),
        ended_at=_epoch(build.get("endTime")) if state in ENDED else None,
        result=told.get("DEVBRIDGE_RESULT") or "null" if state == "SUCCEEDED" else None,
        error_type=error_type,
        error_message=error_message,
        phase=build.get("currentPhase") or "",
        log_group=logs.get("groupName"),
        log_stream=logs.get("streamName"),
        error_at=json.loads(told.get("DEVBRIDGE_ERROR") or "{}").get("at", ""),
    )


def _running_state(build: Mapping[str, Any], waiting: bool) -> str:
    phase = build.get("currentPhase") or ""
    if waiting or phase in ("", *_QUEUED_PHASES):
        return "QUEUED"
    return "STARTING" if phase in _STARTING_PHASES else "RUNNING"


def _end(
    build: Mapping[str, Any], told: Mapping[str, str], given: Mapping[str, str]
) -> tuple[str, str | None, str | None]:
    """How a build has ended: the state, and the error's type and message."""
    status = build["buildStatus"]
    if status in _WITHOUT_ERROR:
        return _WITHOUT_ERROR[status], None, None
    if status == "FAILED" and (state := told.get("DEVBRIDGE_STATE")) in ENDED:
        error = json.loads(told.get("DEVBRIDGE_ERROR") or "{}")
        return str(state), error.get("type"), error.get("message", _ELSEWHERE)
    where, why = _failed_phase(build)
    if status == "TIMED_OUT":
        if where in (_HANDLER_PHASE, ""):
            return "TIMED_OUT", None, None
        return "TIMED_OUT", "BuildTimedOut", f"the build has timed out in phase {where}{why}"
    # A container's command has no runner to say how it ended.
    command = where == _HANDLER_PHASE and not given.get("DEVBRIDGE_HANDLER")
    if command and (code := _EXIT_STATUS.search(why)):
        return "FAILED", "CommandFailed", f"the command exited with code {code[1]}"
    return "CRASHED", "BuildFailed", f"the build has ended {status} in phase {where}{why}"


def _failed_phase(build: Mapping[str, Any]) -> tuple[str, str]:
    """The first phase that did not succeed, and ``: why``."""
    for phase in build.get("phases") or ():
        if phase.get("phaseStatus") in ("FAILED", "FAULT", "TIMED_OUT"):
            contexts = phase.get("contexts") or ()
            why = [
                f"{c.get('statusCode') or ''} {c.get('message') or ''}".strip() for c in contexts
            ]
            text = "; ".join(filter(None, why))
            return phase["phaseType"], f": {text}" if text else ""
    return build.get("currentPhase") or "", ""


def _epoch(moment: Any) -> float | None:
    return None if moment is None else concurrency.epoch(moment)


class Builds:
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
        """
        self._codebuild = codebuild
        self._s3 = s3
        self._place = f"{app}/{stage}/{job}"
        self._app, self._stage, self._job = app, stage, job
        self._project = project
        self._bucket = bucket
        self._container = container
        self._inline = inline or container
        self._encrypted = (
            {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": encryption_key}
            if encryption_key
            else {}
        )

    def start(self, payload: bytes, *, key: str, remember: bool) -> tuple[str, str, bool]:
        """Start a run: its id, its state, and whether the key had started it before.

        Args:
            payload: a JSON text.
            key: the same key is the same run: for 5 minutes, which is CodeBuild's own rule, or
                with `remember` for 30 days.

        Raises:
            PayloadTooLarge: a container job takes 8 KiB.
            ClientError: CodeBuild or S3 refused.
        """
        from botocore.exceptions import ClientError

        token = key_id(self._app, self._stage, self._job, key)
        if remember and (known := self._remembered(token)):
            return known.job_id, known.state, True
        name, value, made = self._payload(payload, token)
        variable = {"name": name, "value": value, "type": "PLAINTEXT"}
        try:
            build = self._codebuild.start_build(
                projectName=self._project,
                idempotencyToken=token,
                environmentVariablesOverride=[variable],
            )["build"]
        except ClientError as error:
            if made and error.response["ResponseMetadata"]["HTTPStatusCode"] < 500:
                self._delete(value)
            raise
        state = interpret(build).state
        if made and state not in ("QUEUED", "STARTING"):
            # This token has started a run before, which has read and deleted its payload.
            self._delete(value)
        if remember:
            record = {"Key": self._record(token), "Body": build["id"].encode()}
            self._s3().put_object(Bucket=self._bucket, ContentType="text/plain", **record)
        return build["id"], state, False

    def get(self, job_id: str) -> Build:
        """
        Raises:
            UnknownRun: this job has no such run.
        """
        found = next(iter(self._interpreted([job_id])), None) if self._owns(job_id) else None
        if found is None:
            raise UnknownRun(
                f"nothing is known of a run {job_id!r}", where=f"project {self._project}"
            )
        return self._with_message(found)

    def cancel(self, job_id: str) -> tuple[str, str]:
        """Stop a run: the state that it was in, and the one that it is in now.

        Raises:
            UnknownRun: this job has no such run.
        """
        was = self.get(job_id)
        if was.final:
            return was.state, was.state
        stopped = interpret(self._codebuild.stop_build(id=job_id)["build"]).state
        # It will never start, though it may take a moment until the build says so.
        return was.state, "CANCELLED" if was.state == "QUEUED" else stopped

    def list(self, limit: int, state: str | None = None) -> Runs:
        """The newest runs, the newest first; with `state`, those that are in it. Messages of errors
        that are in S3 are left there."""
        found: list[Build] = []
        for ids in self._pages():
            some = ids[:limit] if state is None else ids
            found += [run for run in self._interpreted(some) if state in (None, run.state)]
            if len(found) >= limit:
                break
        return found[:limit]

    def find(self, prefix: str) -> Runs:
        """The runs whose id, or the part of it behind the project's name, begins so."""
        ids = [
            job_id
            for page in self._pages()
            for job_id in page
            if job_id.startswith(prefix) or job_id.partition(":")[2].startswith(prefix)
        ]
        return [self._with_message(run) for run in self._interpreted(ids)]

    def result(self, build: Build) -> str:
        """What a run that has SUCCEEDED returned, a JSON text.

        Raises:
            CloudError: it was large, and S3 does not have it any more.
        """
        result = build.result or "null"
        if not result.startswith("@"):
            return result
        body = self._read(result[1:])
        if body is None:
            raise CloudError(
                "the result is not in S3",
                where=f"s3://{self._bucket}/{result[1:]}",
                remedy=f"large results are kept for {RESULT_DAYS} days: run the job again",
            )
        return body.decode()

    def _with_message(self, build: Build) -> Build:
        """The run with its error's message, if S3 still has it."""
        if not build.error_at:
            return build
        body = self._read(build.error_at)
        message = f"its message is not in S3: it is kept for {RESULT_DAYS} days"
        if body is not None:
            message = json.loads(body)["message"]
        return replace(build, error_message=message)

    # --- payloads and keys ------------------------------------------------------------------

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
                where=f"job {self._job!r}",
                remedy="put it in S3 and send the key",
            )
        # The same token must come with the same parameters.
        key = f"payloads/{self._place}/{token}.json"
        return "DEVBRIDGE_PAYLOAD_KEY", key, self._put_new(key, payload)

    def _put_new(self, key: str, payload: bytes) -> bool:
        """Store a payload unless one of the same token waits there: that is the one that counts."""
        from botocore.exceptions import ClientError

        place = {"Bucket": self._bucket, "Key": key}
        try:
            self._s3().put_object(
                **place,
                **self._encrypted,
                Body=payload,
                ContentType="application/json",
                IfNoneMatch="*",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "PreconditionFailed":
                return False
            raise
        return True

    def _delete(self, key: str) -> None:
        # Unlike DeleteObject it does not raise if it may not: then the object expires.
        self._s3().delete_objects(Bucket=self._bucket, Delete={"Objects": [{"Key": key}]})

    def _remembered(self, token: str) -> Build | None:
        """The run that this key has started, if it is still known."""
        record = self._read(self._record(token))
        job_id = "" if record is None else record.decode("ascii", "replace")
        return next(iter(self._interpreted([job_id])), None) if self._owns(job_id) else None

    def _record(self, token: str) -> str:
        return f"runs/{self._place}/{token}"

    def _read(self, key: str) -> bytes | None:
        from botocore.exceptions import ClientError

        try:
            body: bytes = self._s3().get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] in _MISSING:
                return None
            raise
        return body

    # --- builds -----------------------------------------------------------------------------

    def _owns(self, job_id: str) -> bool:
        return is_build_id(job_id) and job_id.partition(":")[0] == self._project

    def _pages(self) -> Iterator[Sequence[str]]:
        """The ids of the project's builds, the newest first."""
        more: dict[str, str] = {}
        while True:
            page = self._codebuild.list_builds_for_project(
                projectName=self._project, sortOrder="DESCENDING", **more
            )
            yield page["ids"]
            if not page.get("nextToken"):
                return
            more = {"nextToken": page["nextToken"]}

    def _interpreted(self, ids: Iterable[str]) -> Iterator[Build]:
        """The runs of these ids, in their order."""
        wanted, running = list(ids), None
        for start in range(0, len(wanted), BATCH):
            some = wanted[start : start + BATCH]
            found = {b["id"]: b for b in self._codebuild.batch_get_builds(ids=some)["builds"]}
            for build in (found[job_id] for job_id in some if job_id in found):
                limit = _concurrency(build)
                if limit and running is None:
                    running = self._running()
                waiting = bool(limit) and concurrency.ahead(running or (), build["id"]) >= limit
                run = interpret(build, waiting)
                yield run if run.job else replace(run, job=self._job)

    def _running(self) -> Sequence[concurrency.Build]:
        return concurrency.in_progress(
            self._codebuild.list_builds_for_project,
            self._codebuild.batch_get_builds,
            self._project,
            time.time(),
        )


def _concurrency(build: Mapping[str, Any]) -> int:
    """How many runs may run at the same time as this one; 0 when it has ended, or any number."""
    variables = (build.get("environment") or {}).get("environmentVariables") or ()
    limits = [v["value"] for v in variables if v["name"] == "DEVBRIDGE_CONCURRENCY"]
    return int(limits[0]) if limits and build["buildStatus"] == concurrency.IN_PROGRESS else 0
