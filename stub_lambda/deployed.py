"""The Lambda handler of a deployed job's invoker: each run is a build of AWS CodeBuild.

The stub of `devbridge dev` has the same one for the runs that are builds. See `stub_lambda.events`.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from devbridge.errors import CloudError
from stub_lambda import events, invoker
from stub_lambda.environment import Project, required
from stub_lambda.events import Context, Question, Start

if TYPE_CHECKING:
    from devbridge.runs.codebuild import Builds


def handler(event: Any, context: Context) -> dict[str, Any]:
    """Lambda's entry."""
    return invoker.answer(_from_environment, event, context)


def _from_environment() -> Deployed:
    project = Project.from_environment() or Project(required("DEVBRIDGE_PROJECT"), "")
    app, stage, job = (required(f"DEVBRIDGE_{name}") for name in ("APP", "STAGE", "JOB"))
    return Deployed.of(app, stage, job, project)


class Deployed:
    """`Invoker` of a deployed job."""

    def __init__(self, builds: Builds) -> None:
        self._builds = builds

    @staticmethod
    def of(app: str, stage: str, job: str, project: Project) -> Deployed:
        """With the builds that this function's role may see."""
        return Deployed(builds_of(app, stage, job, project))

    def start(self, start: Start, context: Context) -> dict[str, Any]:
        """See `Invoker.start`.

        Raises:
            PayloadTooLarge, CloudError: it could not be started.
        """
        key = start.key or context.aws_request_id
        with _calls("the run could not be started"):
            job_id, state, duplicate = self._builds.start(
                start.payload, key=key, remember=start.remember
            )
        return {"jobId": job_id, "state": state, "duplicate": duplicate}

    def ask(self, question: Question, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """See `Invoker.ask`.

        Raises:
            UnknownRun: this job has no such run.
            CloudError: CodeBuild or S3 refused.
        """
        with _calls("the run could not be asked about"):
            return _asked(self._builds, question)


def _asked(builds: Builds, question: Question) -> dict[str, Any]:
    if question.action == "cancel":
        was, state = builds.cancel(question.job_id)
        return {"jobId": question.job_id, "state": state, "was": was}
    run = builds.get(question.job_id)
    answer: dict[str, Any] = {
        "jobId": run.job_id,
        "job": run.job,
        "state": run.state,
        "attempt": run.attempt,
        "maxAttempts": run.max_attempts,
    }
    if run.error_type is not None:
        answer["failure"] = {"type": run.error_type, "message": run.error_message or ""}
    if question.action == "result" and run.result is not None:
        return events.with_result(answer, builds.result(run).encode())
    return answer


@functools.cache
def builds_of(app: str, stage: str, job: str, project: Project) -> Builds:
    """The runs of a deployed job, as this function's role may see them."""
    from devbridge.runs.codebuild import Builds

    return Builds(
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
    """
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
