"""Functions on Node runtimes run in a real node, as AWS Lambda's runtime for Node runs them.

ministack's own script takes whatever ``node`` is first on PATH, replaces the AWS SDK by stubs and
all HTTPS requests by its own, takes a default export for any handler, tells no error's type, writes
nothing of an error into the log, and ends the process after each one. It also reads logs with a
pause, so that the lines of one invocation may be found in the next one's.

What runs instead is `inside/node/in_function.mjs`. It reads and writes descriptors of its own,
marks the end of an invocation in the log, and answers a handler's error as a result, so that its
process goes on. ministack sees a worker of its own.
"""

from __future__ import annotations

import contextlib
import json
import queue
import re
import secrets
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from .. import nodes
from ..host import ministack
from .environments import Late

RUNTIMES: Final = "nodejs"
"""What the names of Node's runtimes begin with."""
SILENCE: Final = 1.0
"""Seconds after which a log is taken to have no more lines, though its process has not ended them:
it is gone, and a child of it still holds the log."""
_SCRIPT: Final = Path(nodes.__file__).parent / "node" / "in_function.mjs"
_AS_BEFORE_24: Final = ("--no-experimental-require-module", "--no-experimental-detect-module")
"""Lambda has these for Node 22 unless NODE_OPTIONS switches them on ("Experimental Node.js
features", AWS Lambda's developer guide)."""

_mark = secrets.token_hex()
"""Before what is our own; no function is told it."""
_line_break = secrets.token_hex(8)
"""In place of a line break within one event of the log."""


def run_with_node() -> None:
    """Correct `core.lambda_runtime`."""
    runtime = ministack("core.lambda_runtime")
    binary_of, class_of = runtime._detect_runtime_binary, runtime._worker_class_for
    worker = _worker(runtime.Worker)

    def binary(name: str) -> tuple[str, str]:
        found: tuple[str, str] = ("/bin/sh", script(name)) if is_node(name) else binary_of(name)
        return found

    def class_for(config: Mapping[str, Any]) -> Any:
        return worker if is_node(str(config.get("Runtime", ""))) else class_of(config)

    runtime._detect_runtime_binary, runtime._worker_class_for = binary, class_for


def is_node(runtime: str) -> bool:
    """Whether a runtime is one of Node's."""
    return runtime.startswith(RUNTIMES)


def script(runtime: str) -> str:
    """What starts a function: it becomes node, in which nothing is of the developer's shell.

    Raises:
        RuntimeError: this machine has no node; its text is an error for `told`.
    """
    version = re.search(r"\d+", runtime)
    major = int(version[0]) if version else 0
    node = nodes.find(major)
    if node is None:
        what = f"{runtime}: there is no Node on this machine that is {nodes.OLDEST} or newer"
        message = f"{what}; install it, {nodes.how_to_install(major)}"
        document = {"errorType": "Runtime.InvalidRuntime", "errorMessage": message}
        raise RuntimeError(_mark + json.dumps(document))
    note = nodes.differs(runtime, major, node) or ""
    arguments = [str(_SCRIPT), _mark, _line_break, runtime, note]
    flags = _AS_BEFORE_24 if major < 24 and node.major >= 22 else ()
    tests = (
        f'case "${{NODE_OPTIONS-}}" in *{flag.replace("--no", "-")}*) ;;'
        f' *) set -- "$@" {flag} ;; esac'
        for flag in flags
    )
    return "\n".join(
        [
            "exec 3<&0 4>&1 0</dev/null 1>&2",
            # Without HOME node looks for no packages there; without a package.json of its own, the
            # app's would say what kind of modules a function's files are.
            "unset HOME",
            'printf "{}" > "${0%/*}/package.json"',
            "set --",
            *tests,
            f'exec {shlex.quote(str(node.path))} "$@" {shlex.join(arguments)}',
            "",
        ]
    )


def _worker(base: Any) -> Any:
    class NodeWorker(base):  # type: ignore[misc]
        """An environment whose log is read to the end of an invocation."""

        def _spawn(self) -> None:
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
                raise RuntimeError(_mark + told) from None
            self._started = read_to_end(self._stderr_queue)

        def _read_stderr(self) -> None:
            lines, process = self._stderr_queue, self._proc
            with contextlib.suppress(ValueError, OSError):  # it was closed meanwhile
                for line in iter(process.stderr.buffer.readline, b""):
                    lines.put(line.decode("utf-8", "replace").removesuffix("\n"))
            lines.put(None)

        def _drain_stderr(self) -> str:
            started, self._started = getattr(self, "_started", ""), ""
            return started + read_to_end(self._stderr_queue)

        def _drain_stderr_bounded(self, **_: float) -> str:
            return self._drain_stderr()

    return NodeWorker


def read_to_end(lines: queue.Queue[str | None]) -> str:
    """What an invocation has printed: whole lines, each with its end."""
    found = []
    with contextlib.suppress(queue.Empty):
        while (line := lines.get(timeout=SILENCE)) is not None and line != _mark:
            found.append(f"{line}\n")
    return "".join(found)


def _document(said: str) -> dict[str, Any] | None:
    """The error in a text, if that is ours."""
    found: dict[str, Any] | None = json.loads(said.rpartition(_mark)[2]) if _mark in said else None
    return found


def error_of(body: object) -> dict[str, Any] | None:
    """The error that ministack takes for a result, or for an error of its own; None: it is none of
    a Node function's.

    Returns:
        ``errorType``, ``errorMessage`` and ``trace``; or ``exit``, how the process has ended; or
        ``late``, that it took too long to start. And ``log``, what was printed until then.
    """
    if not isinstance(body, dict):
        return None
    if body.keys() == {_mark}:
        found: dict[str, Any] = body[_mark]
        return found
    return _document(str(body.get("errorMessage", "")))


def printed(log: str) -> str:
    """What a function has printed, without the error that ministack puts after it."""
    found, mark, _ = log.partition(_mark)
    return found.removesuffix("\n") if mark else log


def events(printed: str) -> list[str]:
    """What a Node function has printed, as events: one for each line, or for what `console` was
    asked to say at once."""
    lines = printed.removesuffix("\n").split("\n") if printed else []
    return [line.replace(_line_break, "\n") for line in lines]
