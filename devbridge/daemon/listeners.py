"""Who hears what workers say, and what debuggers do with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from devbridge.workers.debugging import DebugListener
from devbridge.workers.modules import Modules
from runner.outcome import Failure


class WorkerListener(Protocol):
    """Told what workers say, in the event loop's thread."""

    def worker_ready(self, worker_id: str) -> None:
        """The handler is loaded, and the worker waits for its first invocation."""

    def worker_modules(self, worker_id: str, modules: Modules) -> None:
        """The handler, or a run of it, has imported and read these."""

    def worker_missed(self, worker_id: str, name: str) -> None:
        """The job's code looked up a variable that the shell has and the job does not get."""

    def worker_reached(self, worker_id: str, job_id: str, checkpoint: bytes) -> None:
        """The handler has yielded a checkpoint, a JSON text, which is to be kept."""

    def worker_responded(self, worker_id: str, job_id: str, body: bytes) -> None:
        """The handler has returned; `body` is its result, a JSON text."""

    def worker_failed(self, worker_id: str, job_id: str, failure: Failure) -> None:
        """The handler has raised, or its result was too large."""

    def worker_lingers(self, worker_id: str, left: Sequence[str]) -> None:
        """The worker has answered, and waits for these before it ends."""

    def worker_init_failed(self, worker_id: str, failure: Failure) -> None:
        """The handler cannot be loaded."""

    def credentials_failed(self, worker_id: str, message: str) -> None:
        """The worker's role has no credentials for it now; told once until it gets some."""


class Listener(WorkerListener, DebugListener, Protocol):
    """Both."""
