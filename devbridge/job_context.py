"""What a job's handler may take as its second argument, for type checkers; of `devbridge.job`.

The standard library only. The object itself is `runner.context.Context`, or AWS Lambda's where a
handler is used as a function.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

Checkpoint = TypeVar("Checkpoint", covariant=True)  # noqa: PLC0105 - users see it


class JobTrigger(Protocol):
    """What has started a run by itself."""

    @property
    def kind(self) -> str:
        """``queue``, ``topic``, ``object``, ``event``, ``schedule`` ..."""

    @property
    def name(self) -> str:
        """That of the trigger in app.py: by default, of what it listens to."""


class JobContext(Protocol[Checkpoint]):
    """AWS Lambda's context, with what a job has besides: ``context: JobContext[State]``, where the
    handler is a generator that yields values of type `State`; ``JobContext[None]`` where it is
    none."""

    @property
    def checkpoint(self) -> Checkpoint | None:
        """What this run has yielded last, in an attempt before; None at its beginning.

        Behind `job_handler` it is of the type in brackets; else it is as JSON has it.

        Raises:
            CheckpointInvalid: it is of another type: the handler has changed since.
        """

    @property
    def interrupted(self) -> bool:
        """Whether this attempt is about to be stopped: by a cancellation or a timeout, or because
        its machine is taken away. The next value that the handler yields is its last.

        The first look must be in the main thread; from then on SIGTERM ends the handler no more.
        """

    @property
    def trigger(self) -> JobTrigger | None:
        """What has started the run; None where a call has: `devbridge invoke`, ``Job.x.run()``."""

    @property
    def event(self) -> Any:
        """The record that has started the run, as AWS has handed it over; None if none has. The
        payload is what is in it."""

    @property
    def aws_request_id(self) -> str:
        """The run's id."""

    @property
    def job_name(self) -> str:
        """The job's name in app.py."""

    @property
    def attempt(self) -> int:
        """The number of this attempt, from 1. One that was interrupted goes on as the same."""

    @property
    def max_attempts(self) -> int:
        """How many attempts the run has: one more than the job's `retries`."""

    @property
    def function_name(self) -> str:
        """The job's name, as AWS Lambda's context calls it."""

    @property
    def function_version(self) -> str:
        """``$LATEST``"""

    @property
    def invoked_function_arn(self) -> str:
        """The ARN of what runs the job when it is deployed; empty where it has none."""

    @property
    def memory_limit_in_mb(self) -> int:
        """The memory of the job's machine."""

    @property
    def log_group_name(self) -> str:
        """Where its output is in CloudWatch Logs."""

    @property
    def log_stream_name(self) -> str:
        """The stream in that group, where it is known."""

    @property
    def client_context(self) -> Any:
        """What came with the invocation; `custom` has entries of the job's own."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the job's timeout; 0 when its time is up."""

    def log(self, message: object) -> None:
        """Write a line to the run's output."""
