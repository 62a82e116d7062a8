"""ministack's workers, in whose processes functions run: what an invocation prints is read to its
end, and what becomes of a function that does not start is told.

ministack waits 50 ms for what a function prints that prints nothing, takes 5 ms without a line for
its end, so that what comes later is in the log of the next invocation, loses what was printed by a
function that did not start, and then ends all other environments of the function under their
requests.

What runs in a function marks the end of an invocation in the log before it answers
(`inside/in_function.py`, `inside/node/wire.mjs`), and tells its errors as documents.
"""

from __future__ import annotations

import contextlib
import json
import queue
import secrets
import subprocess
from collections.abc import Mapping
from typing import Any, Final

from ..host import ministack
from .environments import Late

SILENCE: Final = 1.0
"""Seconds after which a log is taken to have no more lines, though its process has not ended them:
it is gone, and a child of it still holds the log."""
MARK: Final = secrets.token_hex()
"""Before what is our own, and at the end of what an invocation has printed; no function can know
it."""


def read_to_the_mark() -> None:
    """Correct `core.lambda_runtime`. After `environments.isolate`."""
    runtime = ministack("core.lambda_runtime")
    class_of, base = runtime._worker_class_for, runtime.Worker
    own = _worker(base, runtime)

    def class_for(config: Mapping[str, Any]) -> Any:
        found = class_of(config)
        return own if found is base else found

    runtime._worker_class_for = class_for


def _worker(base: Any, runtime: Any) -> Any:
    class MarkedWorker(base):  # type: ignore[misc]
        """An environment whose log is read to the end of an invocation."""

        def started(self) -> None:
            """It has loaded the function, or failed to (see `starts`)."""

        _proc: Any

        def invoke(self, *arguments: Any, **options: Any) -> Any:
            try:
                return super().invoke(*arguments, **options)
            except Exception as error:  # that is the end of this one alone
                process, self._proc = self._proc, None
                runtime._signal(process)
                return {"status": "error", "error": str(error)}

        def _spawn(self) -> None:
            try:
                self._start()
            finally:
                self.started()

        def _start(self) -> None:
            try:
                super()._spawn()
            except RuntimeError as error:
                if self._proc is None:
                    raise
                late = {"late": str(error)} if isinstance(error, Late) else None
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._proc.wait(SILENCE)
                document = late or _document(str(error)) or {"exit": self._proc.returncode}
                told = json.dumps({**document, "log": read_to_end(self._stderr_queue)})
                raise RuntimeError(MARK + told) from None
            self._started = read_to_end(self._stderr_queue)

        def _read_stderr(self) -> None:
            lines, log = self._stderr_queue, self._proc.log
            with contextlib.suppress(ValueError, OSError):  # it was closed meanwhile
                for line in iter(log.buffer.readline, b""):
                    lines.put(line.decode("utf-8", "replace").removesuffix("\n"))
            lines.put(None)

        def _drain_stderr(self) -> str:
            started, self._started = getattr(self, "_started", ""), ""
            return started + read_to_end(self._stderr_queue)

        def _drain_stderr_bounded(self, **_: float) -> str:
            return self._drain_stderr()

    return MarkedWorker


def read_to_end(lines: queue.Queue[str | None]) -> str:
    """What an invocation has printed: whole lines, each with its end."""
    found = []
    with contextlib.suppress(queue.Empty):
        while (line := lines.get(timeout=SILENCE)) is not None:
            printed = line.removesuffix(MARK)
            if printed or printed == line:
                found.append(f"{printed}\n")
            if printed != line:
                break
    return "".join(found)


def error_of(body: object) -> dict[str, Any] | None:
    """The error that ministack takes for a result, or for an error of its own; None: it is none.

    Returns:
        ``errorType``, ``errorMessage``, and ``trace`` of Node or ``stackTrace`` of Python; or
        ``exit``, how the process has ended; or ``late``, that it took too long to start. And
        ``log``, what was printed until then, of a function that has not started.
    """
    if not isinstance(body, dict):
        return None
    if body.keys() == {MARK}:
        found: dict[str, Any] = body[MARK]
        return found
    return _document(str(body.get("errorMessage", "")))


def _document(said: str) -> dict[str, Any] | None:
    """The error in a text, if that is ours."""
    found: dict[str, Any] | None = json.loads(said.rpartition(MARK)[2]) if MARK in said else None
    return found


def printed(log: str) -> str:
    """What a function has printed, without the error that ministack puts after it."""
    found, mark, _ = log.partition(MARK)
    return found.removesuffix("\n") if mark else log
