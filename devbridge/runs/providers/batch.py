"""Runs as jobs of AWS Batch, which forgets them some days after they have ended."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from devbridge.runs.model import State
from devbridge.runs.providers import containers
from devbridge.runs.providers.base import (
    INTERRUPTED,
    KILLED,
    Asked,
    Client,
    Ended,
    Look,
    by_hundreds,
    epoch,
    pairs,
)
from runner.outcome import Failure, duration

NAME: Final = "batch"
_MILLISECOND: Final = 0.001
_STATES: Final = {
    "SUBMITTED": State.QUEUED,
    "PENDING": State.QUEUED,
    "RUNNABLE": State.QUEUED,
    "STARTING": State.STARTING,
    "RUNNING": State.RUNNING,
}
_OVERDUE: Final = re.compile(r"Job attempt duration exceeded timeout", re.IGNORECASE)
_NO_MACHINE: Final = re.compile(r"CAPACITY|MISCONFIGURATION|RUNNABLE|no machine", re.IGNORECASE)
_BY_SIGNAL: Final = (None, 128 + 15, KILLED, INTERRUPTED)
"""The exit codes of what was ended from outside."""


class Batch:
    """The jobs of one queue."""

    name = NAME
    repeatable = False
    printers = ""

    def __init__(self, client: Client, place: Mapping[str, Any]) -> None:
        """`place` is ``{"queue": ARN, "definition": ARN}``."""
        self._client = client
        self._place = place

    def start(self, asked: Asked) -> str:
        """See `Provider.start`. SubmitJob has no token: who has submitted it already is known by
        the job's name."""
        batch = self._client("batch")
        named = {"name": "JOB_NAME", "values": [asked.token]}
        found = batch.list_jobs(jobQueue=self._place["queue"], filters=[named])
        for job in found.get("jobSummaryList") or ():
            return str(job["jobId"])
        container = {"name": containers.CONTAINER, "environment": pairs(asked.variables)}
        submitted = batch.submit_job(
            jobName=asked.token,
            jobQueue=self._place["queue"],
            jobDefinition=self._place["definition"],
            ecsPropertiesOverride={"taskProperties": [{"containers": [container]}]},
        )
        return str(submitted["jobId"])

    def stop(self, place: str) -> None:
        """See `Provider.stop`. What does not run yet is only taken out of the queue."""
        self._client("batch").terminate_job(jobId=place, reason=containers.CANCELLED)

    def look(self, places: Sequence[str]) -> Mapping[str, Look]:
        """See `Provider.look`."""
        found = {}
        for some in by_hundreds(places):
            jobs = self._client("batch").describe_jobs(jobs=list(some))["jobs"]
            found.update({job["jobId"]: looked(job) for job in jobs})
        return found


def looked(job: Mapping[str, Any]) -> Look:
    """What Batch's description of a job tells. Pure."""
    status, attempts = job["status"], job.get("attempts") or ()
    container = _container(job, job.get("ecsProperties") or {})
    logs = tuple(_logs(container, attempts))
    began = [at for each in attempts if (at := each.get("startedAt"))]
    started = epoch(began[0] if began else job.get("startedAt"), _MILLISECOND)
    if status in _STATES:
        return Look(state=_STATES[status], started_at=started, logs=logs)
    reason = (job.get("statusReason") or "").strip()
    code, why = container.get("exitCode"), (container.get("reason") or "").strip()
    stopped, created = job.get("stoppedAt"), job.get("createdAt")
    state, failure, gone = State.SUCCEEDED, None, False
    if status != "SUCCEEDED":
        waited = ((stopped or 0) - (created or 0)) * _MILLISECOND if not attempts else None
        state, failure, gone = _failed(reason, why, code, waited, _is_wanted(job, reason))
    return Look(
        state=state,
        failure=failure,
        infrastructure=gone,
        exit_code=0 if status == "SUCCEEDED" and code is None else code,
        started_at=started,
        ended_at=epoch(stopped, _MILLISECOND),
        logs=logs,
    )


def _is_wanted(job: Mapping[str, Any], reason: str) -> bool:
    """Whether somebody has ended it. The words of who has alone do not say so: AWS has many of its
    own, such as "ECS was unable to assume the role"."""
    asked = job.get("isTerminated") or job.get("isCancelled") or reason == containers.CANCELLED
    return bool(asked) and not containers.is_own(reason)


def _failed(
    reason: str, why: str, code: int | None, waited: float | None, wanted: bool
) -> tuple[State, Failure | None, bool]:
    """How a job has ended, and whether because its machine has gone. `waited`: the seconds that it
    has waited for one, if it has had none."""
    if _OVERDUE.search(reason):
        return State.TIMED_OUT, None, False
    if waited is not None and _NO_MACHINE.search(reason):
        text = f"no machine was found in {duration(waited)}: {reason}"
        return State.CRASHED, Failure("NoMachine", text), False
    if wanted and not why and (waited is not None or code in _BY_SIGNAL):
        return State.CANCELLED, None, False
    return containers.ended(code, why or reason, gone=containers.gone(reason))


def _container(described: Mapping[str, Any], tasks: Mapping[str, Any]) -> Mapping[str, Any]:
    """The description of the container that a job, or an attempt of one, is. `tasks`: where its
    tasks are."""
    for task in tasks.get("taskProperties") or ():
        for each in task.get("containers") or ():
            if each.get("name") in (containers.CONTAINER, None):
                found: Mapping[str, Any] = each
                return found
    return described.get("container") or {}


def _logs(
    container: Mapping[str, Any], attempts: Sequence[Mapping[str, Any]]
) -> Sequence[tuple[str, str]]:
    """The streams of its attempts, in order."""
    options = (container.get("logConfiguration") or {}).get("options") or {}
    streams = [_container(each, each).get("logStreamName") for each in attempts]
    streams.append(container.get("logStreamName"))
    group = options.get("awslogs-group", "")
    return [(group, stream) for stream in dict.fromkeys(filter(None, streams))]


def ended(event: Mapping[str, Any]) -> Ended | None:
    """What a "Batch Job State Change" event tells; None: it is none, or no end."""
    job = event.get("detail") or {}
    if event.get("source") != "aws.batch" or job.get("status") not in ("SUCCEEDED", "FAILED"):
        return None
    uuid = containers.uuid_of(job.get("jobName"))
    return Ended(uuid, str(job["jobId"]), looked(job)) if uuid else None
