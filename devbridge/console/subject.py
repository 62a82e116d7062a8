"""The stage that a console is of, and how it is asked."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from devbridge.cloud.session import Cloud
from devbridge.config import Config
from devbridge.constructs import App
from devbridge.runs.find import StageRuns

log = logging.getLogger(__name__)


class Debugging(Protocol):
    """Opens workers to debuggers. For any thread."""

    @property
    def configurations(self) -> Sequence[Mapping[str, Any]]:
        """How an editor attaches: entries of VS Code's launch.json; empty: it cannot yet."""

    def open(self) -> None:
        """Let workers be open to debuggers from now on. Idempotent.

        Raises:
            DevbridgeError: what debuggers need is not there.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A stage, seen from this machine. What it gives is for the thread that asks."""

    config: Config
    app: Callable[[], App]
    """The app, as it was deployed or saved last."""
    cloud: Callable[[], Cloud]
    live: bool
    """This process runs its jobs."""
    since: float
    """When the process was started, in seconds since the epoch."""
    usage: Callable[[str], Sequence[tuple[float, float, int]]] = lambda _: ()
    """What a run used while it ran: see `devbridge.console.usages`."""
    debugging: Debugging | None = None
    """None: nothing runs in this process."""
    taken_by: Callable[[], str | None] = lambda: None
    """Who has taken the stage over from this process, if somebody has."""

    @contextlib.contextmanager
    def runs(self) -> Iterator[tuple[StageRuns, bool]]:
        """Its runs, and whether it is the deployed ones that are meant.

        Raises (inside the block):
            DevbridgeError: they cannot be asked for.
        """
        from devbridge.deploy.stage_runs import opened

        with opened(self.config, self.app, self.cloud, log.info) as runs:
            yield runs, not self.live and runs.is_deployed
