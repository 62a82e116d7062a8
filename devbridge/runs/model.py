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
class JobSpec:
    """What the daemon must know of one job to run it. Made from the deployed app."""

    name: str
    handler: str
    """``path/of/file.function``, relative to the app's folder, e.g. ``jobs/factorial.handler``."""
    timeout: float
    """Seconds that one run may take."""
    memory_mb: int
    role_arn: str
    """The role whose credentials the workers get."""
    environment: Mapping[str, str]
    """What `bind` and `environment` put into the job's environment."""
    shell: Mapping[str, str] = field(default_factory=dict)
    """What the app lets its live jobs have of the developer's shell. See `App(inherit=...)`."""
    definition_arn: str = ""
    """What its runs are started from when it is deployed."""
    max_attempts: int = 1
    retry_delay: float = 1.0
    """Seconds before the second attempt; it doubles with each further one."""
    concurrency: int | None = None
    """Runs of this job at the same time, at most; None: only the daemon's own limit."""
    command: tuple[str, ...] = ()
    """What a container job runs in place of a handler."""
    command_dir: str = ""
    """The folder that it runs in, relative to the app's: that of the Dockerfile."""
    runtime: str = ""
    """As its construct names it, e.g. ``python3.13``; "" for the app's own Python."""
    build: Mapping[str, Any] = field(default_factory=dict)
    """What else its language must know to build it: the construct's options."""


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended: exactly one of the two is set."""

    code: int | None = None
    signal: int | None = None
