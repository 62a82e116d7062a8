"""What workers say beside their runs and requests: of what they miss, and of debuggers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from devbridge.daemon import lines
from devbridge.daemon.launching import Launched
from devbridge.daemon.narrator import Narrator
from devbridge.daemon.told import Mood, Paused, Remarked

W = TypeVar("W", bound=Launched)


class Asides(Generic[W]):
    """What those who hear workers (`devbridge.daemon.listeners.Listener`) have alike, whatever the
    workers are for.

    Args:
        worker: the worker of an id, until its end.
        whose: whose workers they are, in words.
        halted: is told of the worker whose time does not pass for now, or does again.
    """

    def __init__(
        self,
        worker: Callable[[str], W | None],
        narrator: Narrator,
        *,
        whose: str,
        halted: Callable[[str, bool], None],
    ) -> None:
        self._worker = worker
        self._narrator = narrator
        self._whose = whose
        self._halted = halted
        self._missed: set[str] = set()
        """Variables of the shell that their code has looked for, and of which that was said."""

    def worker_missed(self, worker_id: str, name: str) -> None:
        """The code looked up a variable that the shell has and it does not get."""
        worker = self._worker(worker_id)
        if worker is not None and name not in self._missed:
            self._missed.add(name)
            self._remark(worker_id, lines.missed(worker.job, name, self._whose), Mood.WARN)

    def worker_mutes(self, worker_id: str, beginnings: Sequence[str]) -> None:
        """What the worker's own inspector prints is none of its code's output."""
        if worker := self._worker(worker_id):
            worker.mute(beginnings)

    def worker_debugs(self, worker_id: str, url: str) -> None:
        """The worker waits for a debugger."""
        self._remark(worker_id, lines.debugger(url), Mood.PLAIN)

    def worker_halted(self, worker_id: str, halted: bool) -> None:
        """The worker is halted for a debugger, or goes on."""
        if worker := self._worker(worker_id):
            worker.halted(halted)
        self._halted(worker_id, halted)

    def worker_paused(self, worker_id: str, where: str | None) -> None:
        """A debugger has stopped the worker there, or (None) lets it go on."""
        if worker := self._worker(worker_id):
            self._narrator.tell(Paused(worker.who, lines.paused(where), Mood.PLAIN, where))

    def credentials_failed(self, worker_id: str, message: str) -> None:
        """The worker has asked for credentials, and there are none."""
        self._remark(worker_id, f"no credentials for the worker: {message}", Mood.BAD)

    def _remark(self, worker_id: str, text: str, mood: Mood) -> None:
        if worker := self._worker(worker_id):
            self._narrator.tell(Remarked(worker.who, text, mood))
