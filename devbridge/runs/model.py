"""The words for a run that all rooms share: its states, how its process ended, what its job is."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from runner import outcome


class State(enum.StrEnum):
    """A run's life: the states that `runner.outcome` lists."""

    SCHEDULED = outcome.SCHEDULED
    QUEUED = outcome.QUEUED
    STARTING = outcome.STARTING
    RUNNING = outcome.RUNNING
    SUCCEEDED = outcome.SUCCEEDED
    FAILED = outcome.FAILED
    CANCELLED = outcome.CANCELLED
    TIMED_OUT = outcome.TIMED_OUT
    CRASHED = outcome.CRASHED

    @property
    def final(self) -> bool:
        """Whether the run has ended: it never leaves this state."""
        return self in outcome.ENDED


@dataclass(frozen=True, slots=True)
class CodeSpec:
    """What must be known of a job or a function to run it here. Made from the deployed app."""

    name: str
    handler: str
    """``path/of/file.function``, relative to the app's folder, e.g. ``jobs/factorial.handler``."""
    timeout: float
    """Seconds that one run, or one request, may take."""
    memory_mb: int
    role_arn: str
    """The role whose credentials the workers get."""
    environment: Mapping[str, str]
    """What `bind` and `environment` put into its environment."""
    shell: Mapping[str, str] = field(default_factory=dict)
    """What the app lets its live code have of the developer's shell. See `App(inherit=...)`."""
    definition_arn: str = field(default="", kw_only=True)
    """What its runs are started from when it is deployed; of a function, its own."""
    runtime: str = field(default="", kw_only=True)
    """As its construct names it, e.g. ``python3.13``; "" for the app's own Python."""
    build: Mapping[str, Any] = field(default_factory=dict, kw_only=True)
    """What else its language must know to build it: the construct's options."""
    stands_in: bool = field(default=False, kw_only=True)
    """Its code as it was deployed last runs in the cloud while nobody runs `devbridge dev`."""

    @property
    def key(self) -> str:
        """What it is called where jobs and functions are mixed."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class JobSpec(CodeSpec):
    """A job."""

    max_attempts: int = field(default=1, kw_only=True)
    retry_delay: float = field(default=1.0, kw_only=True)
    """Seconds before the second attempt; it doubles with each further one."""
    concurrency: int | None = field(default=None, kw_only=True)
    """Runs of this job at the same time, at most; None: only the daemon's own limit."""
    command: tuple[str, ...] = field(default=(), kw_only=True)
    """What a container job runs in place of a handler."""
    command_dir: str = field(default="", kw_only=True)
    """The folder that it runs in, relative to the app's: that of the Dockerfile."""

    @property
    def key(self) -> str:
        """Its name."""
        return self.name


@dataclass(frozen=True, slots=True)
class FunctionSpec(CodeSpec):
    """A function whose requests are handled here."""

    function_name: str = field(default="", kw_only=True)
    """The deployed function's."""
    log_group: str = field(default="", kw_only=True)
    """The deployed function's."""
    reserved: int | None = field(default=None, kw_only=True)
    """The concurrency that is reserved for it, and the most that it has."""
    vpc: bool = field(default=False, kw_only=True)
    """Deployed, it reaches what only a VPC does."""

    @property
    def key(self) -> str:
        """See `function_key`."""
        return function_key(self.name)


def function_key(name: str) -> str:
    """What a function is called where jobs and functions are mixed: no job has such a name."""
    return f"{name}()"


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended: exactly one of the two is set."""

    code: int | None = None
    signal: int | None = None
