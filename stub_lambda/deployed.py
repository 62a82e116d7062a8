"""The Lambda handler of a deployed job's invoker: its runs are in the cloud, whatever runs them.

The stub of `devbridge dev` has the same one for the runs that are there. See `stub_lambda.events`.
The invoker also hears of AWS when something of the job's has ended: then nobody waits for an
answer, and what could not be done is to be told again.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from devbridge.errors import CloudError
from devbridge.protocol import codec
from runner import documents
from stub_lambda import events, invoker
from stub_lambda.calls import calls
from stub_lambda.environment import Placement, required
from stub_lambda.events import Context, Question, Start

if TYPE_CHECKING:
    from devbridge.runs.base import Run
    from devbridge.runs.deployed import DeployedRuns
    from devbridge.runs.starting import Starter


def handler(event: Any, context: Context) -> Any:
    """Lambda's entry."""
    from devbridge.runs.providers import known

    if known.is_event(event):
        return _happened(event)
    return invoker.answer(_from_environment, event, context)


def _happened(event: Any) -> dict[str, Any]:
    """Take what AWS tells of something that has ended.

    Raises:
        DevbridgeError, ClientError, BotoCoreError, NoRoom: Lambda is to call again with it.
    """
    from devbridge.runs.providers import known

    ended = known.ended(event)
    if ended is None:
        return {"ended": False}
    app, stage, job, placement = _of_environment()
    done = starter_of(app, stage, job, placement).happened(ended)
    return {"ended": True, "run": ended.uuid, "done": done}


def _of_environment() -> tuple[str, str, str, Placement]:
    placement = Placement.from_environment() or Placement(required("DEVBRIDGE_PROJECT"), "")
    app, stage, job = (required(f"DEVBRIDGE_{name}") for name in ("APP", "STAGE", "JOB"))
    return app, stage, job, placement


def _from_environment() -> Deployed:
    return Deployed.of(*_of_environment())


class Deployed:
    """`Invoker` of a deployed job."""

    def __init__(self, runs: DeployedRuns) -> None:
        self._runs = runs

    @staticmethod
    def of(app: str, stage: str, job: str, placement: Placement) -> Deployed:
        """With the runs that this function's role may see."""
        return Deployed(runs_of(app, stage, job, placement))

    @property
    def job(self) -> str:
        """See `Invoker.job`."""
        return self._runs.job

    def run_id(self, key: str) -> str:
        """See `Invoker.run_id`."""
        of = self._runs.reader.deployment
        return of.run_id(codec.job_id(of.app, of.stage, of.job, key))

    def start(self, start: Start, context: Context) -> dict[str, Any]:
        """See `Invoker.start`.

        Raises:
            PayloadTooLarge, CloudError: it could not be started.
        """
        key, job = start.key or context.aws_request_id, self._runs.job
        with _calls("the run could not be started"):
            if start.alone and (going := self._going(start.alone, self.run_id(key))):
                return going
            started = self._runs.start(
                job,
                start.payload,
                key=key,
                remember=start.remember,
                checkpoint=start.checkpoint,
            )
        record = started.run.record
        return {"jobId": record.job_id, "state": record.state, "duplicate": started.duplicate}

    def _going(self, schedule: str, run_id: str) -> dict[str, Any] | None:
        """The answer where the run of another time of a schedule goes on."""
        from devbridge.runs.last_runs import LastRuns

        other = LastRuns(self._runs.reader).take(schedule, run_id.rpartition(":")[2])
        if other is None:
            return None
        told, state = other
        what = f"devbridge: schedule {schedule!r}: {told} goes on, so nothing is started this time"
        print(what, flush=True)
        return {"jobId": told, "state": state, "duplicate": True}

    def ask(self, question: Question, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """See `Invoker.ask`.

        Raises:
            UnknownRun: this job has no such run.
            CloudError: AWS refused.
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
def starter_of(app: str, stage: str, job: str, placement: Placement) -> Starter:
    """Starts and ends the runs of a deployed job, as this function's role may."""
    from devbridge.runs.giving_up import giver
    from devbridge.runs.kept import Kept
    from devbridge.runs.providers.known import provider
    from devbridge.runs.reading import Deployment, Reader
    from devbridge.runs.starting import Starter
    from devbridge.runs.turns import Turns

    deployment = Deployment(
        app=app,
        stage=stage,
        job=job,
        project=placement.project,
        compute=placement.compute,
        attempts=placement.attempts,
        container=placement.container,
        inline=placement.inline,
        waits=bool(placement.turns),
    )
    own = f"{app}/{stage}/{job}"
    kept = Kept(lambda: _client("s3"), placement.bucket, own, placement.key)
    reader = Reader(kept, lambda name: provider(name, _client), deployment)
    turns = None
    if placement.turns and placement.concurrency:
        table, limit = placement.turns, placement.concurrency
        turns = Turns(lambda: _client("dynamodb"), table, job, limit)
    return Starter(
        reader,
        provider(placement.compute, _client, placement.place),
        turns,
        give_up=giver(kept, lambda: _client("sqs")),
    )


@functools.cache
def runs_of(app: str, stage: str, job: str, placement: Placement) -> DeployedRuns:
    """The runs of a deployed job, as this function's role may see them."""
    from devbridge.runs.deployed import DeployedRuns

    starter = starter_of(app, stage, job, placement)
    return DeployedRuns(starter.reader, starter=starter)


@contextlib.contextmanager
def _calls(what: str) -> Iterator[None]:
    """Say what could not be done when AWS refuses it, or has no room.

    Raises:
        CloudError: in place of botocore's errors.
    """
    from devbridge.runs.providers.base import NoRoom

    try:
        with calls(what):
            yield
    except NoRoom as error:
        raise CloudError(f"{what}: there is no room for it: {error}", remedy="try again") from error


@functools.cache
def _client(service: str) -> Any:
    import boto3
    from botocore.config import Config

    # The caller waits 20 seconds at most.
    return boto3.client(service, config=Config(connect_timeout=3, read_timeout=8))  # type: ignore[call-overload]
