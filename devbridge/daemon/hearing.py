"""What workers say over the Runtime API, as the daemon hears it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from devbridge.daemon.asides import Asides
from devbridge.daemon.events import (
    Event,
    Halted,
    Lingers,
    Raised,
    Responded,
    StandbyFailed,
    StandbyReady,
)
from devbridge.daemon.imports import Reports
from devbridge.daemon.narrator import Narrator
from devbridge.daemon.processes import Worker
from devbridge.daemon.reloading import Reloading
from devbridge.workers.base import Launcher
from devbridge.workers.modules import Modules
from runner.outcome import Failure


class Hearing(Asides[Worker]):
    """Posts what the supervisor has to know, and tells the rest to those whom it concerns
    (`devbridge.daemon.listeners.Listener`).

    Args:
        worker: the worker of an id, until its end.
        post: takes each event.
        reached: takes each checkpoint, a JSON text, and the id of its run.
    """

    def __init__(
        self,
        worker: Callable[[str], Worker | None],
        launcher: Launcher,
        reloading: Reloading,
        reports: Reports,
        narrator: Narrator,
        *,
        post: Callable[[Event], None],
        reached: Callable[[str, bytes], None],
    ) -> None:
        super().__init__(
            worker,
            narrator,
            whose="jobs",
            halted=lambda worker_id, halted: post(Halted(worker_id, halted)),
        )
        self._launcher = launcher
        self._reloading = reloading
        self._reports = reports
        self._post = post
        self._reached = reached

    def worker_ready(self, worker_id: str) -> None:
        """The handler is loaded."""
        self._post(StandbyReady(worker_id))

    def worker_reached(self, worker_id: str, job_id: str, checkpoint: bytes) -> None:
        """A run has come to a checkpoint."""
        del worker_id
        self._reached(job_id, checkpoint)

    def worker_responded(self, worker_id: str, job_id: str, body: bytes) -> None:
        """A run has a result, which is JSON."""
        self._post(Responded(worker_id, job_id, body))

    def worker_failed(self, worker_id: str, job_id: str, failure: Failure) -> None:
        """A run's handler has raised."""
        self._post(Raised(worker_id, job_id, failure))

    def worker_lingers(self, worker_id: str, left: Sequence[str]) -> None:
        """A run was answered, and its worker waits for something."""
        self._post(Lingers(worker_id, tuple(left)))

    def worker_init_failed(self, worker_id: str, failure: Failure) -> None:
        """The handler cannot be loaded."""
        self._post(StandbyFailed(worker_id, failure))

    def worker_modules(self, worker_id: str, modules: Modules) -> None:
        """The worker has imported these. One that holds what no run may get is replaced."""
        worker = self._worker(worker_id)
        if worker is None:
            return
        stale = False
        if not worker.job_id:  # else it is about what its run has imported: that is over
            stale = self._reloading.imported(worker.job, modules, worker.launched_at)
        self._reports.add(worker.job, modules, worker.launched_at)
        if self._launcher.reported(worker.job, modules) or stale:
            self._reloading.renew(worker.job)
