"""Environments of functions start in turn, and not one for each request at once.

ministack starts one for each invocation that finds none free: of a hundred requests none is
answered before a hundred interpreters have been loaded on a few cores, and by then all are out of
time. Here who would start another one waits for one that is free meanwhile: until it is its turn to
start, and where a function has several for each core, at least for `PATIENCE` seconds. A function's
first one waits for nobody, and nobody for ever: what calls functions that call functions does not
stop itself.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from ..host import ministack

_CORES: Final = os.cpu_count() or 1
AT_ONCE: Final = max(2, _CORES)
"""How many start at the same time."""
ENOUGH: Final = 4 * AT_ONCE
"""So many of one function keep a machine busy."""
PATIENCE: Final = 2.0


def take_turns() -> None:
    """Correct how `services.lambda_svc` gets an environment."""
    lambdas = ministack("services.lambda_svc")
    starts = Starts(lambdas.acquire_worker, lambdas.release_worker)
    lambdas.acquire_worker, lambdas.release_worker = starts.acquire, starts.release


class Starts:
    """Hands out environments.

    Args:
        acquire: ministack's: one that is free, or a new one; none where there are as many as
            `max_concurrency`.
        release: ministack's.
    """

    def __init__(
        self,
        acquire: Callable[..., tuple[Any, str]],
        release: Callable[[Any], None],
        *,
        at_once: int = AT_ONCE,
        enough: int = ENOUGH,
        patience: float = PATIENCE,
    ) -> None:
        self._acquire = acquire
        self._release = release
        self._at_once = at_once
        self._enough = enough
        self._patience = patience
        self._changed = threading.Condition()
        self._starting: set[int] = set()
        """Those that are new, and have not loaded their function yet."""

    def acquire(self, *function: Any, **options: Any) -> tuple[Any, str]:
        """An environment, once there is one."""
        patient_until = time.monotonic() + self._patience
        with self._changed:
            while True:
                turn = len(self._starting) < self._at_once
                patience = patient_until - time.monotonic()
                most = (self._enough if patience > 0 else None) if turn else 1
                worker, how = self._acquire(*function, **options, max_concurrency=most)
                if worker is not None:
                    break
                self._changed.wait(patience if turn else None)
            if how == "spawn":
                self._starting.add(id(worker))
                worker.started = lambda: self._has_started(worker)
        return worker, how

    def release(self, worker: Any) -> None:
        """It is free, or gone."""
        self._release(worker)
        self._has_started(worker)

    def _has_started(self, worker: Any) -> None:
        with self._changed:
            self._starting.discard(id(worker))
            self._changed.notify_all()
