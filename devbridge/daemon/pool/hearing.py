"""What workers of functions say over the Runtime API, as the pool hears it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from devbridge.daemon.asides import Asides
from devbridge.daemon.launching import Launched
from devbridge.daemon.narrator import Narrator
from devbridge.daemon.pool import faults
from devbridge.daemon.pool.events import Answered, Event, Halted, NotLoaded, Ready
from devbridge.daemon.told import Who
from devbridge.runs.model import function_key
from devbridge.workers.base import Launcher
from devbridge.workers.modules import Modules
from runner.invocation import RESULT_TOO_LARGE
from runner.outcome import Failure


class FunctionWorker(Launched):
    """One live worker of a function."""

    __slots__ = ()

    @property
    def who(self) -> Who:
        """Whose words are its own, now."""
        return Who(self.id, self.job, self.job_id, function=True)


class Reload(Protocol):
    """What hot reload (`devbridge.daemon.reloading`) is told of functions, by their keys, and
    asked. What is out of date it tells `Functions.saved`."""

    def look_at(self, key: str) -> None:
        """It is about to be called: what its workers have read, and nobody has told of a change
        yet, may be another now."""

    def launched(self, key: str) -> bool:
        """A worker begins to import the handler; whether it is to record what it reads."""

    def imported(self, key: str, modules: Modules, launched_at: float) -> bool:
        """A worker that was launched then has imported these; whether it is out of date already."""

    def renew(self, key: str) -> None:
        """Its workers hold what no request may get: replace them."""

    def ready(self, key: str) -> None:
        """It has a worker again."""

    def broke(self, key: str) -> None:
        """Its handler cannot be loaded."""


class Hearing(Asides[FunctionWorker]):
    """Posts what the pool has to know, and tells the rest to those whom it concerns
    (`devbridge.daemon.listeners.Listener`).

    Args:
        worker: the worker of an id, until its end.
        post: takes each event.
    """

    def __init__(
        self,
        worker: Callable[[str], FunctionWorker | None],
        launcher: Launcher,
        reload: Reload,
        narrator: Narrator,
        *,
        post: Callable[[Event], None],
    ) -> None:
        super().__init__(
            worker,
            narrator,
            whose="live functions",
            halted=lambda worker_id, halted: post(Halted(worker_id, halted)),
        )
        self._launcher = launcher
        self._reload = reload
        self._post = post

    def worker_ready(self, worker_id: str) -> None:
        """The handler is loaded."""
        self._post(Ready(worker_id))

    def worker_responded(self, worker_id: str, job_id: str, body: bytes) -> None:
        """A request was answered."""
        del job_id
        self._post(Answered(worker_id, body))

    def worker_failed(self, worker_id: str, job_id: str, failure: Failure) -> None:
        """The handler has raised, or its answer was too large."""
        del job_id
        too_large = failure is RESULT_TOO_LARGE
        fault = faults.too_large() if too_large else faults.of_failure(failure)
        self._post(Answered(worker_id, fault))

    def worker_init_failed(self, worker_id: str, failure: Failure) -> None:
        """The handler cannot be loaded."""
        self._post(NotLoaded(worker_id, faults.of_failure(failure)))

    def worker_modules(self, worker_id: str, modules: Modules) -> None:
        """The worker has imported these, when it was loaded or within a request."""
        if (worker := self._worker(worker_id)) is None:
            return
        key = function_key(worker.job)
        stale = self._reload.imported(key, modules, worker.launched_at)
        if self._launcher.reported(key, modules) or stale:
            self._reload.renew(key)

    def worker_reached(self, worker_id: str, job_id: str, checkpoint: bytes) -> None:
        """Requests have no checkpoints."""

    def worker_lingers(self, worker_id: str, left: Sequence[str]) -> None:
        """They go on for ever."""
