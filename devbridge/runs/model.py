"""The words that the daemon's rooms share: what a job is, what a worker reports, how it ends."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from devbridge.daemon.signatures import Entries, Watched


class State(enum.StrEnum):
    """A job's life. The last five are final."""

    QUEUED = "QUEUED"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    TIMED_OUT = "TIMED_OUT"
    CRASHED = "CRASHED"

    @property
    def final(self) -> bool:
        return self not in _LIVE


_LIVE = frozenset({State.QUEUED, State.STARTING, State.RUNNING})


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
    """The CodeBuild role whose credentials the workers get."""
    environment: Mapping[str, str]
    """What `bind` and `environment` put into the job's environment."""
    shell: Mapping[str, str] = field(default_factory=dict)
    """What the app lets its live jobs have of the developer's shell. See `App(inherit=...)`."""
    project_arn: str = ""
    """The CodeBuild project that runs the job when it is deployed."""
    max_attempts: int = 1
    retry_delay: float = 1.0
    """Seconds before the second attempt; it doubles with each further one."""
    concurrency: int | None = None
    """Runs of this job at the same time, at most; None: only the daemon's own limit."""
    command: tuple[str, ...] = ()
    """What a container job runs in place of a handler."""
    command_dir: str = ""
    """The folder that it runs in, relative to the app's: that of the Dockerfile."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An error as the user shall see it. `frames` are the user's own, outermost first."""

    type: str
    message: str
    frames: tuple[str, ...] = ()
    """Each one text like a traceback's: ``File "jobs/a.py", line 3, in f\\n    return 1 / 0``."""
    trace: tuple[str, ...] = ()
    """The whole traceback's lines, for the log file."""


@dataclass(frozen=True, slots=True)
class Modules:
    """What a handler really imported, reported by its worker once it has."""

    user_files: frozenset[Path]
    """Files below the app's folder: these are watched."""
    third_party: tuple[str, ...]
    """Installed modules by their full names, in import order, and what botocore read of its data
    (``botocore.data:PATH``): a zygote reads that before it forks."""
    zygote: int | None = None
    """Whose fork the worker is; None: it is a fresh interpreter."""
    problem: str | None = None
    """What the worker found changed, so that its zygote's modules are not what it would have
    imported."""
    stale: str | None = None
    """The same, when it is an installed file."""
    own: frozenset[Path] = frozenset()
    """What else was read or imported, wherever it is: data files, libraries beside the app."""
    installed: frozenset[Path] = frozenset()
    """Files of installed packages that were read or imported."""
    listed: frozenset[Path] = frozenset()
    """Folders whose entries were asked for."""
    lookups: Mapping[Path, frozenset[str]] = field(default_factory=dict)
    """Folder -> modules that were looked for there, found or not."""
    recorded: bool = False
    """Whether more than the modules was recorded: see `runner.reads`."""

    @property
    def watched(self) -> frozenset[Watched]:
        """What makes the worker out of date at once, besides installed packages."""
        listed = {Entries(folder) for folder in self.listed}
        lookups = {Entries(folder, names) for folder, names in self.lookups.items()}
        return self.user_files | self.own | listed | lookups


@dataclass(frozen=True, slots=True)
class Invocation:
    """One run, as the Runtime API hands it to a worker."""

    job_id: str
    payload: bytes
    deadline: float
    """Seconds since the epoch."""
    function_arn: str = ""
    context: Mapping[str, str] = field(default_factory=dict)
    """The client context's `custom` entries: job, attempt, max_attempts."""


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended: exactly one of the two is set."""

    code: int | None = None
    signal: int | None = None
