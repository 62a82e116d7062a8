"""The environments that functions run in: each has a log stream, a temporary folder and processes
of its own, which end together.

ministack tells a function a log stream that there is none of, has all functions share one temporary
folder, gives a function two seconds to notice that its time is over, waits for ever for one that
does not start, and lets its children live on.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import SimpleNamespace
from typing import Any, Final

from ..host import before, ministack
from ..machines.processes import Process, processes
from . import file_systems

STREAM: Final = "AWS_LAMBDA_LOG_STREAM_NAME"
GROUP: Final = "AWS_LAMBDA_LOG_GROUP_NAME"
INIT: Final = 10.0
"""Seconds that a function has to start, before those of its timeout: AWS starts it once more then,
within its timeout."""
_ROUNDS: Final = 5
"""How often an environment's processes are looked for: they may start others while they are."""


class _Here(threading.local):
    """What this thread is about."""

    config: Mapping[str, Any] | None = None
    stream: str = ""


_here = _Here()


def last_stream() -> str:
    """The log stream of the environment that this thread has used last; empty: it has used none."""
    return _here.stream


def log_group(config: Mapping[str, Any]) -> str:
    """A function's log group."""
    own = f"/aws/lambda/{config['FunctionName']}"
    return (config.get("LoggingConfig") or {}).get("LogGroup") or own


def log_stream(config: Mapping[str, Any], key: str, now: float) -> str:
    """An environment's log stream. In a group that functions share, it has the function's name."""
    name, day = config["FunctionName"], time.strftime("%Y/%m/%d", time.gmtime(now))
    shared = log_group(config) != f"/aws/lambda/{name}"
    return f"{day}/{name if shared else ''}[{config.get('Version', '$LATEST')}]{key}"


def isolate() -> None:
    """Correct `core.lambda_runtime`. Before others change how its processes are ended."""
    runtime, lambdas = ministack("core.lambda_runtime"), ministack("services.lambda_svc")
    signal_, invoke, spawn = runtime._signal, runtime.Worker.invoke, runtime.Worker._spawn
    kill_workers = runtime.kill_workers

    def signalled(process: Any) -> None:
        if isinstance(process, Environment):
            process.end()
        signal_(process)

    def invoked(worker: Any, *arguments: Any, **options: Any) -> Any:
        _here.stream = ""
        if isinstance(worker._proc, Environment):
            _here.stream = worker._proc.stream
        return invoke(worker, *arguments, **options)

    def spawned(worker: Any) -> None:
        if isinstance(worker._proc, Environment):  # it has ended by itself
            worker._proc.end()
        worker.config = _here.config = file_systems.with_mounts(worker.config)
        with _in_time(worker, float(worker.config.get("Timeout", 3))):
            spawn(worker)

    def killed(workers: Iterable[Any]) -> None:
        listed = [each for each in workers if each is not None]
        end_all(each._proc for each in listed if isinstance(each._proc, Environment))
        kill_workers(listed)

    members = {name: getattr(subprocess, name) for name in subprocess.__all__}
    runtime.subprocess = SimpleNamespace(**{**members, "Popen": Environment})
    runtime.kill_workers = killed
    runtime._signal, runtime.Worker.invoke, runtime.Worker._spawn = signalled, invoked, spawned
    before(lambdas, "get_state", runtime.reset)


class Late(RuntimeError):
    """An environment has not started within its time; its caller is told so."""


@contextmanager
def _in_time(worker: Any, seconds: float) -> Iterator[None]:
    """End an environment that does not start within its time.

    Raises:
        Late: it has not.
    """
    late = threading.Event()

    def give_up() -> None:
        late.set()
        if isinstance(process := worker._proc, Environment):  # it may not even have one
            process.end()

    timer = threading.Timer(INIT + seconds, give_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    except RuntimeError:
        if not late.is_set():
            raise
        raise Late(f"Task timed out after {seconds:.2f} seconds") from None
    finally:
        timer.cancel()


class Environment(subprocess.Popen[str]):
    """One environment: its first process, which all others descend from."""

    def __init__(self, arguments: Any, *, env: Mapping[str, str], **options: Any) -> None:
        config = _here.config or {"FunctionName": env.get("AWS_LAMBDA_FUNCTION_NAME", "")}
        self.stream = _here.stream = log_stream(config, uuid.uuid4().hex, time.time())
        self.ended = False
        self._folder = tempfile.mkdtemp(prefix="tmp-of-function-")
        own = {STREAM: self.stream, GROUP: log_group(config), "TMPDIR": self._folder}
        super().__init__(arguments, env={**env, **own}, **options)
        # Its own: ministack would read it where another thread does, to say why a process ended.
        self.log, self.stderr = self.stderr, None

    def end(self) -> None:
        """Kill its processes, as AWS does, and delete its temporary files. Idempotent."""
        end_all([self])

    def left(self, listed: Sequence[Process]) -> set[int]:
        """Those of its processes that there are."""
        # Once the first one is reaped, its number may be another's.
        first = self.pid if self.poll() is None else None
        return members(listed, f"{STREAM}={self.stream}", first)

    def forget(self) -> None:
        """Delete its temporary files: all of its processes are gone."""
        self.ended = True
        shutil.rmtree(self._folder, ignore_errors=True)


def end_all(environments: Iterable[Environment]) -> None:
    """End them together: to look at all processes takes long."""
    ending = [each for each in environments if not each.ended]
    for _ in range(_ROUNDS if ending else 0):
        listed = list(processes(environments=True))
        left = {pid for each in ending for pid in each.left(listed)}
        for pid in left:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if not left:
            break
    for each in ending:
        each.forget()


def members(found: Iterable[Process], mark: str, first: int | None) -> set[int]:
    """Those that have the mark in their environment, or descend from one that has, or from the
    first one. Pure."""
    listed = list(found)
    own = {each.pid for each in listed if mark in each.environment or each.pid == first}
    while more := {each.pid for each in listed if each.parent in own} - own:
        own |= more
    return own
