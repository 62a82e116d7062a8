"""What user code imports at run time: start jobs, ask about and cancel them, and handle them.

::

    from devbridge.job import Job, JobContext, job_handler

    run = Job.factorial.run(payload={"num": 100})      # in a function that binds the job
    Job.factorial.status(run.job_id).state             # "RUNNING"
    Job.factorial.result(run.job_id)                   # what the handler returned
    Job.factorial.cancel(run.job_id)

    @job_handler("factorial")                          # in the job's own file
    def handler(payload: Factorial) -> int: ...

It needs the standard library and, to start jobs, the botocore of AWS Lambda's runtime.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import json
import os
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from devbridge import later
from devbridge.errors import (
    DevbridgeError,
    InvokeError,
    JobCancelled,
    JobCrashed,
    JobFailed,
    JobNotFinished,
    JobTimedOut,
    UnknownJob,
    UnknownRun,
)
from devbridge.job_context import JobContext
from devbridge.payload.check import check
from devbridge.payload.decode import Decoder, checkpoint_reader, decoder, payload_type
from devbridge.payload.digits import needs_text, reader
from devbridge.payload.encode import checked_size, dump
from devbridge.payload.kinds import arguments, unwrapped
from devbridge.resources import bound, fetch_secrets

JOB_NAME: Final = "DEVBRIDGE_JOB_NAME"
"""The environment variable that tells a worker which job it runs."""

ENDED: Final[Mapping[str, type[JobFailed] | None]] = {
    "SUCCEEDED": None,
    "FAILED": JobFailed,
    "CANCELLED": JobCancelled,
    "TIMED_OUT": JobTimedOut,
    "CRASHED": JobCrashed,
}
"""The final states, and what `result` raises in each."""

_REFUSALS: Final[Mapping[object, type[DevbridgeError]]] = {"UnknownRun": UnknownRun}
"""The invoker's refusals that have a class of their own."""


@dataclass(frozen=True, slots=True)
class JobRun:
    """A run that was started."""

    job_id: str
    state: str
    """SCHEDULED, QUEUED, STARTING, RUNNING, SUCCEEDED, FAILED, CANCELLED, TIMED_OUT or CRASHED."""
    duplicate: bool = False
    """The idempotency key was used before: this is the run that it started then."""


@dataclass(frozen=True, slots=True)
class JobCancellation:
    """What a call to `cancel` met, and what came of it."""

    job_id: str
    was: str
    """The state before: SCHEDULED or QUEUED is never started, RUNNING is told to stop; in a final
    one there was nothing left to cancel."""
    state: str
    """The state now. A run that was RUNNING still is, until its process has ended.

    Where nobody runs `devbridge dev`, both are QUEUED: the cancellation waits for them, as runs do,
    and is then what becomes of it."""


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A run's state and, when it has failed, its error."""

    job_id: str
    job: str
    state: str
    """SCHEDULED, QUEUED, STARTING, RUNNING, SUCCEEDED, FAILED, CANCELLED, TIMED_OUT or CRASHED."""
    attempt: int = 1
    max_attempts: int = 1
    error_type: str | None = None
    error_message: str | None = None

    @property
    def final(self) -> bool:
        """Whether the run has ended."""
        return self.state in ENDED


class BoundJob:
    """A job that this function binds."""

    def __init__(self, name: str) -> None:
        self._name = name

    def run(
        self,
        payload: Any = None,
        *,
        idempotency_key: str | None = None,
        at: datetime.datetime | None = None,
        delay: str | datetime.timedelta | None = None,
    ) -> JobRun:
        """Start the job; return as soon as it is accepted, not when it has ended.

        Args:
            payload: any JSON value, dataclass, TypedDict, msgspec.Struct or pydantic model.
            idempotency_key: runs with the same key are one run; of a deployed job, for 30 days.
            at: when it is to start, with a time zone, 366 days ahead at most, if the job has
                ``later=True``. It starts within the minute that follows; what is over is now.
            delay: the same from now: ``"2 hours"``, or a timedelta.

        Raises:
            TimeNotAllowed: `at` or `delay` is no such time.
            NotFound: the job is not bound here.
            PayloadNotJson, PayloadTooLarge: the payload cannot be sent.
            PayloadInvalid: it is not what the job's handler declares; the path inside it is named.
            InvokeError: nobody accepted it; the message says who was expected where.
        """
        text = dump(payload)
        check(self._name, json.loads(text))
        start = later.moment(at, delay, datetime.datetime.now(datetime.UTC))
        then = {} if start is None else {"startAt": later.written(start)}
        own = {} if idempotency_key is not None else {"generatedKey": True}
        # Without a key, a retry of the call by botocore would start the job twice.
        key = str(uuid.uuid4()) if idempotency_key is None else idempotency_key
        fields: dict[str, str | bool] = {"idempotencyKey": key, **own, **then}
        return _run(self._ask("schedule" if then else "run", text, **fields))

    def cancel(self, job_id: str) -> JobCancellation:
        """Cancel a run, whatever state it is in; return when the cancellation is taken.

        A run that is QUEUED never starts. To one that is RUNNING, and all processes that it has
        started, SIGTERM is sent, and SIGKILL after the grace period.

        Raises:
            NotFound: the job is not bound here.
            UnknownRun: no such run is known.
            InvokeError: nobody took the cancellation; the message says who was expected where.
        """
        answer = self._ask("cancel", jobId=job_id)
        return JobCancellation(answer["jobId"], answer["was"], answer["state"])

    def status(self, job_id: str) -> JobStatus:
        """A run's state, with its error when it has failed.

        Raises:
            NotFound: the job is not bound here.
            UnknownRun: no such run is known.
            InvokeError: nobody answered; the message says who was expected where.
        """
        return job_status(self._ask("status", jobId=job_id))

    def result(self, job_id: str) -> Any:
        """What the handler of a run returned.

        Raises:
            JobNotFinished: the run has not ended.
            JobFailed: it has ended without a result; of the classes JobCancelled, JobTimedOut and
                JobCrashed, or with the type and message of what the handler raised.
            NotFound, UnknownRun, InvokeError: as `status`.
        """
        answer = self._ask("result", jobId=job_id)
        raise_unless_succeeded(job_status(answer))
        return answer.get("result")

    def wait(self, job_id: str, *, timeout: float | None = None, poll: float = 1.0) -> JobStatus:
        """Ask for a run's state again and again, until it has ended.

        Args:
            timeout: seconds to wait at most; without, for ever.
            poll: seconds between two questions.

        Raises:
            JobNotFinished: the run has not ended in time.
            NotFound, UnknownRun, InvokeError: as `status`.
        """
        until = None if timeout is None else time.monotonic() + timeout
        while not (status := self.status(job_id)).final:
            if until is not None and time.monotonic() + poll > until:
                raise JobNotFinished(
                    f"the run is {status.state} after {timeout:g} s",
                    where=f"job {status.job!r}, run {job_id}",
                )
            time.sleep(poll)
        return status

    def _ask(self, action: str, payload: str = "null", **fields: str | bool) -> dict[str, Any]:
        function = bound("Job", "functionName", self._name)
        return ask(_client(), function, self._name, action, payload, **fields)


class _Jobs(type):
    def __getattr__(cls, name: str) -> BoundJob:
        if name.startswith("__"):
            raise AttributeError(name)
        return BoundJob(name)


class Job(metaclass=_Jobs):
    """The bound jobs by name, with '_' for '-': ``Job.factorial.run(payload=...)``."""


Handling = Callable[[Any, Any], Any]


def job_handler(
    name: str | None = None,
    **options: Any,  # noqa: ARG001
) -> Callable[[Callable[..., Any]], Handling]:
    """Make a function the handler of job `name`: it gets its payload as the type it declares.

    Without a name, the job's is that of the file. `options` are those of Job, as literals, where
    ``app.jobs("jobs/")`` makes the job: they are read from the file's text, and not here.

    The payload is decoded to the annotation of the first parameter (dataclass, TypedDict,
    msgspec.Struct, pydantic model or any type that msgspec knows); without one, or with Any or
    dict, it comes as it is. A second parameter gets the context; where it is annotated as
    ``JobContext[State]``, its checkpoint is decoded in the same way.

    Raises:
        InvalidValue: no JSON value can be turned into that type.

    Raises (when the handler is called):
        PayloadInvalid: the payload is not of that type; the path inside it is named.
        CheckpointInvalid: the checkpoint is not of its type, when the handler looks at it.
        UnknownJob: the handler was called for another job.
        NotFound: a secret that the job binds is not set.
    """
    if callable(name):  # without parentheses
        return _handling(name, None)
    return functools.partial(_handling, name=name)


def _handling(handler: Callable[..., Any], name: str | None) -> Handling:
    taken = arguments(handler)

    @functools.cache
    def decode() -> Decoder | None:
        return decoder(payload_type(handler))

    @functools.cache
    def read_checkpoint() -> Callable[[bytes], Any] | None:
        return checkpoint_reader(handler)

    # A function that imports this module for its types alone has no msgspec and needs none;
    # a class that stands below the handler is not there yet.
    with contextlib.suppress(ImportError, NameError):
        decode()
        read_checkpoint()

    @functools.wraps(handler)
    def call(payload: Any = None, context: Any = None) -> Any:
        if name is not None:
            _check_job(name, handler)
        convert = decode()
        value = payload if convert is None else convert(payload)
        fetch_secrets()
        if hasattr(context, "read_checkpoint") and (known := read_checkpoint()):
            context.read_checkpoint = known
        return handler(*(value, context)[:taken])

    def read(text: bytes | str) -> Any:
        return reader(payload_type(handler))(text)

    # Whoever looks at the signature must see both parameters, not the wrapped function's.
    del call.__wrapped__
    # For runner.worker: a payload's text has digits that a float has not.
    call.__devbridge_read__ = read  # type: ignore[attr-defined]
    # For devbridge.types.
    call.__devbridge_handler__ = handler  # type: ignore[attr-defined]
    if name is not None:
        call.__devbridge_job__ = name  # type: ignore[attr-defined]
    return call


def _check_job(name: str, handler: Callable[..., Any]) -> None:
    """
    Raises:
        UnknownJob: this worker runs another job.
    """
    running = os.environ.get(JOB_NAME, name)
    if running != name:
        function = unwrapped(handler)
        raise UnknownJob(
            f"this handler is for job {name!r}, and was called for job {running!r}",
            where=f"{function.__module__}.{function.__qualname__}",
            remedy=f"write @job_handler({running!r}), or correct the job's handler in app.py",
        )


def ask(
    client: Any, function: str, job: str, action: str, payload: str = "null", **fields: str | bool
) -> dict[str, Any]:
    """Send one question to the invoker Lambda `function` and return its answer.

    Args:
        client: boto's Lambda client.
        payload: a JSON text.

    Raises:
        PayloadTooLarge: the event would be over Lambda's 6 MB.
        UnknownRun: no such run is known.
        InvokeError: the invoker failed, or refused.
    """
    if needs_text(payload):  # Lambda would make floats of its numbers
        version, name, payload = 2, "payloadText", json.dumps(payload, ensure_ascii=False)
    else:
        version, name = 1, "payload"
    head = json.dumps({"devbridge": version, "action": action, **fields})
    # The payload's text goes in as it is: encoding it twice costs time on large ones.
    body = checked_size(f'{head[:-1]},"{name}":{payload}}}')
    response = client.invoke(FunctionName=function, InvocationType="RequestResponse", Payload=body)
    answer = json.loads(response["Payload"].read() or b"null")
    where = f"job {job!r}, invoker {function}"
    if response.get("FunctionError"):
        kind, message = answer.get("errorType"), answer.get("errorMessage")
        raise InvokeError(f"the invoker failed: {kind}: {message}", where=where)
    if not isinstance(answer, dict) or "error" in answer or "jobId" not in answer:
        error = answer.get("error", {}) if isinstance(answer, dict) else {}
        if refusal := _REFUSALS.get(error.get("code")):
            raise refusal(str(error.get("message")), where=where)
        raise InvokeError(
            f"{error.get('code', 'BadAnswer')}: {error.get('message', answer)}", where=where
        )
    return answer


def job_status(answer: Mapping[str, Any]) -> JobStatus:
    """The status in the invoker's answer."""
    failure = answer.get("failure", {})
    return JobStatus(
        answer["jobId"],
        answer["job"],
        answer["state"],
        answer["attempt"],
        answer["maxAttempts"],
        failure.get("type"),
        failure.get("message"),
    )


def raise_unless_succeeded(status: JobStatus) -> None:
    """
    Raises:
        JobNotFinished: the run has not ended.
        JobFailed: it has ended without a result.
    """
    where = f"job {status.job!r}, run {status.job_id}"
    if not status.final:
        raise JobNotFinished(f"the run is {status.state}: it has no result yet", where=where)
    error = ENDED[status.state]
    if error is None:
        return
    why = f": {status.error_type}: {status.error_message}" if status.error_type else ""
    raise error(
        f"the run has ended {status.state}{why}",
        where=where,
        error_type=status.error_type,
        error_message=status.error_message,
    )


def _run(answer: dict[str, Any]) -> JobRun:
    return JobRun(answer["jobId"], answer["state"], bool(answer.get("duplicate")))


@functools.cache
def _client() -> Any:
    import botocore.session
    from botocore.config import Config

    # The invoker waits for the daemon itself; a retry here would only repeat what it tells.
    config = Config(read_timeout=20, connect_timeout=5, retries={"max_attempts": 2})
    return botocore.session.get_session().create_client("lambda", config=config)


__all__ = ["Job", "JobCancellation", "JobContext", "JobRun", "JobStatus", "job_handler"]
