"""The invocations of functions that go on, so that one's machine can be taken away."""

from __future__ import annotations

import functools
import itertools
import os
import signal
import threading
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from ..host import ministack
from .running import Machine


class Invocations:
    """All that go on. A dead host gives a function no notice."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = itertools.count()
        self._known: dict[int, tuple[Any, Any, str]] = {}

    def plug_in(self) -> None:
        """Have ministack's workers tell of each. After others have changed them."""
        worker = ministack("core.lambda_runtime").Worker
        invoke = worker.invoke

        def invoked(self_: Any, event: Any, request_id: str, *rest: Any, **options: Any) -> Any:
            number = next(self._count)
            with self._lock:
                self._known[number] = (self_, event, request_id)
            try:
                return invoke(self_, event, request_id, *rest, **options)
            finally:
                with self._lock:
                    del self._known[number]

        worker.invoke = invoked

    def machines(self) -> Iterable[Machine]:
        """What goes on now."""
        with self._lock:
            known = list(self._known.values())
        for worker, event, request_id in known:
            process = worker._proc
            alive = process is not None and process.poll() is None
            run = event.get("run") if isinstance(event, dict) and "devbridge" in event else None
            yield Machine(
                compute="lambda",
                id=request_id,
                status="RUNNING",
                names=[str(worker.config.get("FunctionName", ""))],
                run=str(run or ""),
                pids=[process.pid] if alive else [],
                interrupt=functools.partial(_kill, process),
            )


def _kill(process: Any, _: bool) -> None:
    if end := getattr(process, "end", None):
        end()  # with all that it has started
        return
    with suppress(ProcessLookupError, PermissionError):
        os.kill(process.pid, signal.SIGKILL)
