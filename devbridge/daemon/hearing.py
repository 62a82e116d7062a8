"""What workers say over the Runtime API, as the daemon hears it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from devbridge.daemon import lines
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
from devbridge.daemon.processes import Processes
from devbridge.daemon.reloading import Reloading
from devbridge.daemon.told import Mood
from devbridge.workers.base import Launcher
from devbridge.workers.modules import Modules
from runner.outcome import Failure


class Hearing:
    """Posts what the supervisor has to know, and tells the rest to those whom it concerns
    (`devbridge.daemon.listeners.Listener`).

    Args:
        processes: the workers' processes; they are made after this.
        post: takes each event.
        reached: takes each checkpoint, a JSON text, and the id of its run.
    """

    def __init__(
        self,
        processes: Callable[[], Processes],
        launcher: Launcher,
        reloading: Reloading,
        reports: Reports,
        *,
        post: Callable[[Event], None],
        reached: Callable[[str, bytes], None],
    ) -> None:
        self._processes = processes
        self._launcher = launcher
        self._reloading = reloading
        self._reports = reports
        self._post = post
        self._reached = reached
        self._missed: set[str] = set()
        """Variables of the shell that jobs have looked for, and of which that was said."""

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
        worker = self._processes().worker(worker_id)
        if worker is None:
            return
        stale = False
        if not worker.job_id:  # else it is about what its run has imported: that is over
            stale = self._reloading.imported(worker.job, modules, worker.launched_at)
        self._reports.add(worker.job, modules, worker.launched_at)
        if self._launcher.reported(worker.job, modules) or stale:
            self._reloading.renew(worker.job)

    def worker_missed(self, worker_id: str, name: str) -> None:
        """The job's code looked up a variable that the shell has and the job does not get."""
        worker = self._processes().worker(worker_id)
        if worker is not None and name not in self._missed:
            self._missed.add(name)
            self._processes().remark(worker_id, lines.missed(worker.job, name), Mood.WARN)

    def worker_mutes(self, worker_id: str, beginnings: Sequence[str]) -> None:
        """What the worker's own inspector prints is no output of a run."""
        self._processes().mute(worker_id, beginnings)

    def worker_debugs(self, worker_id: str, url: str) -> None:
        """The worker waits for a debugger."""
        self._processes().remark(worker_id, lines.debugger(url), Mood.PLAIN)

    def worker_halted(self, worker_id: str, halted: bool) -> None:
        """The worker is halted for a debugger, or goes on."""
        self._processes().halted(worker_id, halted)
        self._post(Halted(worker_id, halted))

    def worker_paused(self, worker_id: str, where: str | None) -> None:
        """A debugger has stopped the worker there, or (None) lets it go on."""
        self._processes().paused(worker_id, where)

    def credentials_failed(self, worker_id: str, message: str) -> None:
        """The worker has asked for credentials, and there are none."""
        what = f"no credentials for the worker: {message}"
        self._processes().remark(worker_id, what, Mood.BAD)
