"""The Function construct."""

from __future__ import annotations

from typing import Final, Unpack

from devbridge.constructs import values
from devbridge.constructs.app import App
from devbridge.constructs.code import Code, CodeOptions, parsed_handler, signature
from devbridge.constructs.file_systems import IN_A_VPC, mount_problem
from devbridge.constructs.references import Reference
from devbridge.constructs.values import Duration
from devbridge.durations import parsed
from devbridge.sources.runtimes import FUNCTIONS, FunctionRuntime

_RESERVED: Final = 1000
"""Executions at once of an account, unless AWS has raised its quota."""


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
        architecture, environment, bind, permissions, copy_files, install, esbuild, log_retention,
            log_forwarding, vpc, tags, permissions_boundary: as for Job.
        encryption_key: the ARN of a KMS key for its logs and its environment; by default the app's.
        transform: called with its `troposphere.awslambda.Function`.

    Raises:
        InvalidValue, DuplicateName, UnknownBindTarget, HandlerNotFound.
    """

    paths = values.LAMBDA_PATHS

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
        self.handler = parsed_handler(self, handler, runtime)
        self.timeout = limit
        self.memory_mb = memory
        self.reserved_concurrency = reserved_concurrency
        self.register()

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
