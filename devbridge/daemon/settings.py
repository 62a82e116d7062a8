"""What a daemon is made of: values that whoever composes it fills in."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devbridge.daemon.calls import Objects
from devbridge.daemon.listeners import Listener
from devbridge.daemon.runtime_api import CredentialsProvider, RuntimeApi, WorkerAddress
from devbridge.folders import STATE_DIR
from devbridge.protocol.messages import Presence, Topics
from devbridge.runs.model import CodeSpec
from devbridge.transport.base import Transport
from devbridge.transport.patience import FAR, Patience
from devbridge.workers.base import Launcher

if TYPE_CHECKING:
    from devbridge.languages.debuggers import Debuggers


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the daemon is told once."""

    root: Path
    """The app's folder."""
    python: Path
    """The app's interpreter."""
    logs: Path
    """The folder of the runs' log files."""
    state_dir: Path | None = None
    """Where `notes` are; None: in ``.devbridge`` below the app's folder."""
    preload: Sequence[str] = ()
    """What the app vouches for: modules that workers find imported already."""
    concurrency: int
    """Runs at the same time, at most."""
    grace: float
    """Seconds from SIGTERM to SIGKILL of a run that is cancelled or out of time."""
    fail_when_broken: bool = True
    """Runs of a job that cannot be loaded fail at once; else they wait until it can."""
    rerun_on_save: str = ""
    """A save starts the job's last run again, once it has ended (``wait``) or was ended
    (``cancel``)."""
    standbys: bool = True
    """Each job has a worker that waits, before anybody asks for a run."""
    secrets_mark: Path | None = None
    """A file that is touched when a secret has got another value."""
    cancelled: Callable[[str], bool] = lambda _: False
    """Whether the run with this id was cancelled here while its request waited in the broker."""

    @property
    def starts(self) -> int:
        """Workers that load their handlers at the same time for runs that wait: what occupies the
        processors, and one more."""
        return (os.cpu_count() or 1) + 1

    @property
    def notes(self) -> Path:
        """The folder where it is noted what jobs import, and where slow imports are."""
        return self.state_dir or self.root / STATE_DIR


@dataclass(frozen=True, slots=True)
class Connection:
    """How the stage's stubs are reached, and what they are told of this daemon."""

    topics: Topics
    presence: Presence
    make_transport: Callable[[str, bool], Transport]
    """Makes a client that is not connected yet, of a client id and whether its session is clean."""
    patience: Patience = FAR
    """What the stage's stubs have."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """What workers are made with."""

    launcher: Launcher
    environment: Callable[[CodeSpec, WorkerAddress], Mapping[str, str]]
    credentials: CredentialsProvider | None = None
    debuggers: Debuggers | None = None
    """What workers are open to, once they are wanted; None: to no debuggers."""
    objects: Objects = field(kw_only=True)
    """The stage's bucket, for what is too large for the wire."""

    @property
    def debug(self) -> bool:
        """Workers are to be open to debuggers."""
        return self.debuggers is not None and self.debuggers.wanted

    async def open(self, codes: Collection[CodeSpec], vouched: Iterable[str]) -> None:
        """Have ready what workers of these codes need: see `Launcher.prepare`."""
        await self.launcher.prepare(codes, vouched)
        if self.debug and self.debuggers is not None:
            await self.debuggers.start(code.runtime for code in codes)

    async def close(self) -> None:
        """End every worker that is left, and hang up on debuggers. Idempotent."""
        await self.launcher.close()
        if self.debuggers is not None:
            await self.debuggers.close()

    def runtime_api(self, listener: Listener, **options: Any) -> RuntimeApi:
        """That for workers whom `listener` hears; `options` are those of `RuntimeApi`."""
        debuggers = None if self.debuggers is None else self.debuggers.of(listener)
        return RuntimeApi(listener, self.credentials, debuggers, **options)
