"""The Lambda handler of a deployed job's invoker: each run is a build of AWS CodeBuild.

The stub of `devbridge dev` has the same one for the runs that are builds. See `stub_lambda.events`.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from devbridge.errors import CloudError
from runner import documents
from stub_lambda import events, invoker
from stub_lambda.environment import Project, required
from stub_lambda.events import Context, Question, Start

if TYPE_CHECKING:
    from devbridge.runs.base import Run
    from devbridge.runs.codebuild import CodeBuildStore


def handler(event: Any, context: Context) -> dict[str, Any]:
    """Lambda's entry."""
    return invoker.answer(_from_environment, event, context)


def _from_environment() -> Deployed:
    project = Project.from_environment() or Project(required("DEVBRIDGE_PROJECT"), "")
    app, stage, job = (required(f"DEVBRIDGE_{name}") for name in ("APP", "STAGE", "JOB"))
    return Deployed.of(app, stage, job, project)


class Deployed:
    """`Invoker` of a deployed job."""

    def __init__(self, runs: CodeBuildStore) -> None:
        self._runs = runs

    @staticmethod
    def of(app: str, stage: str, job: str, project: Project) -> Deployed:
        """With the runs that this function's role may see."""
        return Deployed(runs_of(app, stage, job, project))

    def start(self, start: Start, context: Context) -> dict[str, Any]:
        """See `Invoker.start`.

        Raises:
            PayloadTooLarge, CloudError: it could not be started.
        """
        key, job = start.key or context.aws_request_id, self._runs.job
        with _calls("the run could not be started"):
            started = self._runs.start(job, start.payload, key=key, remember=start.remember)
        record = started.run.record
        return {"jobId": record.job_id, "state": record.state, "duplicate": started.duplicate}

    def ask(self, question: Question, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """See `Invoker.ask`.

        Raises:
            UnknownRun: this job has no such run.
            CloudError: CodeBuild or S3 refused.
        """
        with _calls("the run could not be asked about"):
            return _asked(self._runs.get(question.job_id), question.action)


def _asked(run: Run, action: str) -> dict[str, Any]:
    if action == "cancel":
        done = run.cancel()
        return {"jobId": done.job_id, "state": done.state, "was": done.was}
    record, wanted = run.record, action == "result"
    if wanted and record.state.final:
        record = run.refresh(result=True)
    answer: dict[str, Any] = {
        "jobId": record.job_id,
        "job": record.job,
        "state": record.state,
        "attempt": record.attempt,
        "maxAttempts": record.max_attempts,
    }
    if record.failure is not None:
        answer["failure"] = documents.document(record.failure)
    if wanted and record.result is not None:
        return events.with_result(answer, record.result)
    return answer


@functools.cache
def runs_of(app: str, stage: str, job: str, project: Project) -> CodeBuildStore:
    """The runs of a deployed job, as this function's role may see them."""
    from devbridge.runs.codebuild import CodeBuildStore

    return CodeBuildStore(
        _client("codebuild"),
        lambda: _client("s3"),
        app=app,
        stage=stage,
        job=job,
        project=project.name,
        bucket=project.bucket,
        container=project.container,
        inline=project.inline,
        encryption_key=project.key,
    )


@contextlib.contextmanager
def _calls(what: str) -> Iterator[None]:
    """Say what could not be done when AWS refuses it.

    Raises:
        CloudError: in place of botocore's errors.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        remedy = "deploy the stage again: its invoker may do that"
        if "mismatch" in str(error).lower():
            remedy = "send the payload that this idempotency key came with, or another key"
        raise CloudError(f"{what}: {error}", remedy=remedy) from error


@functools.cache
def _client(service: str) -> Any:
    import boto3
    from botocore.config import Config

    # The caller waits 20 seconds at most.
    return boto3.client(service, config=Config(connect_timeout=3, read_timeout=8))  # type: ignore[call-overload]
