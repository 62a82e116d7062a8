"""The Function construct."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final, Literal, Unpack

from devbridge.constructs import values
from devbridge.constructs.app import App
from devbridge.constructs.code import Code, CodeOptions, parsed_handler, signature
from devbridge.constructs.file_systems import IN_A_VPC, mount_problem
from devbridge.constructs.messaging import Queue
from devbridge.constructs.references import Reference
from devbridge.constructs.triggering import Trigger, checked_on_failure, checked_triggers, whole
from devbridge.constructs.values import Duration
from devbridge.durations import parsed
from devbridge.sources.runtimes import FUNCTIONS, FunctionRuntime

FunctionOffline = Literal["cloud", "error"]
_RESERVED: Final = 1000
"""Executions at once of an account, unless AWS has raised its quota."""
RETRIES: Final = 2
MAX_AGE: Final = (timedelta(minutes=1), timedelta(hours=6))
"""Of an event that nobody waits for the answer of: how often it is tried again, and for how long it
may be, at most and by default (Lambda, API, PutFunctionEventInvokeConfig)."""


class Function(Code):
    """An AWS Lambda function.

    Args:
        handler: ``folder/file.function``, relative to the app's folder.
        timeout: 1 second to 15 minutes. The default leaves an invoker its 10 seconds, and stays
            below the 30 that an HTTP API waits.
        memory_size: "128 MB" to "10240 MB".
        runtime: the Python or Node.js that it runs on, by default the Python of the app's
            interpreter.
        reserved_concurrency: what is reserved of the account's concurrency for this function, and
            the most that it has of it, 0 to 1000; 0 stops it. Who is throttled is told so: a queue
            gets its message back, and after `max_receives` the dead-letter queue has it.
        offline: what its callers get while nobody runs `devbridge dev` on a stage where it runs on
            the laptop: "cloud", the answer of the code that is deployed, or "error". By default the
            first, or what the stage says (`devbridge dev --offline error`).
        enable_live_dev: False runs it in AWS on dev stages too, never on the laptop.
        triggers: what calls it by itself: OnQueue, OnTopic, OnObject, OnEvent, Schedule ... It gets
            AWS's own events.
        on_failure: the queue for what its triggers have told and has failed for good; by default
            one is made for it. That of an `OnQueue` is its queue's own `dead_letter`, if that has
            one.
        retries: how often an event is tried again that it has failed at and nobody waits for, of a
            topic, a bucket, a bus, a schedule or a log: 0 to 2, by default 2.
        max_age: how old such an event may be when it is tried, 1 minute to 6 hours, by default 6
            hours.
        architecture, environment, bind, permissions, copy_files, install, esbuild, log_retention,
            log_forwarding, vpc, tags, permissions_boundary: as for Job.
        encryption_key: the ARN of a KMS key for its logs and its environment; by default the app's.
        transform: called with its `troposphere.awslambda.Function`.

    Raises:
        InvalidValue, DuplicateName, UnknownBindTarget, HandlerNotFound.
    """

    paths = values.LAMBDA_PATHS
    raw_events = True

    def __init__(
        self,
        app: App,
        name: str,
        *,
        handler: str,
        timeout: Duration = "20 seconds",
        memory_size: str = "512 MB",
        runtime: FunctionRuntime | None = None,
        reserved_concurrency: int | None = None,
        offline: FunctionOffline | None = None,
        enable_live_dev: bool = True,
        triggers: Sequence[Trigger] = (),
        on_failure: Queue | None = None,
        retries: int | None = None,
        max_age: Duration | None = None,
        **shared: Unpack[CodeOptions],
    ) -> None:
        super().__init__(app, name, shared, runtime=runtime, runtimes=FUNCTIONS)
        for key in (*values.MACHINES, "PYTHONSAFEPATH"):
            if key in self.variables.names:
                raise self.invalid("environment", key, values.MACHINE_ALLOWED)
        for key in self.variables.names:
            if not values.LAMBDA_VARIABLE.fullmatch(key):
                raise self.invalid("environment", key, values.LAMBDA_VARIABLE_ALLOWED)
        for key, secret in self.variables.secrets.items():
            raise self.invalid("environment", {key: secret}, values.FETCHED_ALLOWED)
        if problem := mount_problem(self.bind, self.vpc, IN_A_VPC):
            raise self.refused("bind", problem)
        if (limit := parsed(timeout, values.FUNCTION_TIMEOUT)) is None:
            raise self.invalid("timeout", timeout, "1 second to 15 minutes, e.g. '30 seconds'")
        if (memory := values.function_memory(memory_size)) is None:
            raise self.invalid("memory_size", memory_size, "'128 MB' to '10240 MB'")
        if reserved_concurrency is not None and (
            type(reserved_concurrency) is not int or not 0 <= reserved_concurrency <= _RESERVED
        ):
            allowed = f"a whole number from 0 to {_RESERVED}, or None"
            raise self.invalid("reserved_concurrency", reserved_concurrency, allowed)
        self.choice("offline", offline, values.FUNCTION_OFFLINE)
        self.offline = offline
        self.live = self.flag("enable_live_dev", enable_live_dev)
        """Whether `devbridge dev` runs it on the laptop."""
        self.handler = parsed_handler(self, handler, runtime)
        self.timeout = limit
        self.memory_mb = memory
        self.reserved_concurrency = reserved_concurrency
        self.triggers = checked_triggers(self, triggers, self.bind)
        self.on_failure = checked_on_failure(self, on_failure, self.triggers)
        self.retries, self.max_age = self._trying(retries, max_age)
        self.register()

    @property
    def call_limit(self) -> timedelta:
        """See `Code.call_limit`."""
        return self.timeout

    @property
    def called_later(self) -> bool:
        """Whether some of its triggers hand events to Lambda, and wait for no answer."""
        return any(not trigger.answered and not trigger.polled for trigger in self.triggers)

    def _trying(self, retries: int | None, max_age: Duration | None) -> tuple[int, timedelta]:
        """How often an event is tried again, and how old it may be then."""
        for what, value in (("retries", retries), ("max_age", max_age)):
            if value is not None and not self.called_later:
                allowed = "only with OnTopic, OnObject, OnEvent, OnLog or Schedule in its triggers"
                raise self.invalid(what, value, allowed)
        if retries is not None and not whole(retries, 0, RETRIES):
            raise self.invalid("retries", retries, f"a whole number from 0 to {RETRIES}, or None")
        age = MAX_AGE[1] if max_age is None else values.whole_seconds(max_age, MAX_AGE)
        if age is None:
            raise self.invalid("max_age", max_age, "1 minute to 6 hours, whole seconds")
        return RETRIES if retries is None else retries, age

    @property
    def arn(self) -> Reference:
        """The deployed function's ARN."""
        return Reference(self, "arn")

    @property
    def function_name(self) -> Reference:
        """The deployed function's name."""
        return Reference(self, "function_name")

    @property
    def log_group_arn(self) -> Reference:
        """The ARN of its log group; of its streams, with ``+ ":*"``."""
        return Reference(self, "log_group_arn")


Function.__signature__ = signature(Function)  # type: ignore[attr-defined]
