"""A function that is updated goes on with what it was called with, as it was, as on AWS.

ministack ends all environments of the function then, under their requests.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

from ..host import before, ministack


class _Here(threading.local):
    updates = False
    """What this thread does is an update of a function."""


def finish_first() -> None:
    """Correct `services.lambda_svc`. After `environments.isolate`."""
    runtime, lambdas = ministack("core.lambda_runtime"), ministack("services.lambda_svc")
    leaving = Leaving(runtime.kill_workers, lambdas.invalidate_worker, lambdas.release_worker)
    runtime.kill_workers = leaving.kill
    lambdas.invalidate_worker, lambdas.release_worker = leaving.invalidate, leaving.release
    before(lambdas, "get_state", leaving.end)


class Leaving:
    """The environments of functions as they were.

    Args:
        kill: ends environments.
        invalidate: takes those of a function out of the pool, and ends them.
        release: puts one back into it.
    """

    def __init__(
        self,
        kill: Callable[[Iterable[Any]], None],
        invalidate: Callable[..., None],
        release: Callable[[Any], None],
    ) -> None:
        self._kill = kill
        self._invalidate = invalidate
        self._release = release
        self._here = _Here()
        self._all: set[Any] = set()

    def invalidate(self, name: str, qualifier: str | None = None, **scope: Any) -> None:
        """The function is updated; without a qualifier, it is removed."""
        self._here.updates = qualifier is not None
        try:
            self._invalidate(name, qualifier, **scope)
        finally:
            self._here.updates = False

    def kill(self, workers: Iterable[Any]) -> None:
        """End environments; by an update, those that have nothing to do."""
        found = {each for each in workers if each is not None}
        if self._here.updates:
            self._all |= found  # before it is asked who has: that may change now
            found = {each for each in found if not each.in_use}
        self._all -= found
        self._kill(found)

    def release(self, worker: Any) -> None:
        """It has nothing to do any more."""
        self._release(worker)
        if worker in self._all:
            self.kill([worker])

    def end(self) -> None:
        """End them all."""
        self.kill([*self._all])
