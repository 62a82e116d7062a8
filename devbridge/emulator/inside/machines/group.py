"""Processes that end together: with what they belong to, and with this cloud, however it ends.

A guard leads the process group: it waits at a pipe that only the cloud holds, and kills the group
when that is closed. So nothing of it outlives the cloud, not even when that is killed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

from .processes import processes

_GUARD: Final = "trap '' HUP INT TERM QUIT; read _; kill -KILL 0"


class Group:
    """A process group. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ending = False
        self._kill_at = 0.0
        read, self._hold = os.pipe()
        try:
            self._guard = subprocess.Popen(
                ["/bin/sh", "-c", _GUARD],
                stdin=read,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={},
                process_group=0,
            )
        finally:
            os.close(read)

    @property
    def pid(self) -> int:
        """Its number, which is its guard's."""
        return self._guard.pid

    def start(
        self, command: Sequence[str], *, cwd: str, environment: Mapping[str, str], output: int
    ) -> subprocess.Popen[bytes] | None:
        """Start a process in it; None when it is ending.

        Raises:
            OSError: there is no such program.
        """
        with self._lock:
            if self._ending:
                return None
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=cwd,
                env=environment,
                process_group=self._guard.pid,
                umask=0o022,
            )

    def terminate(self, grace: float, only: subprocess.Popen[bytes] | None = None) -> None:
        """End what runs, and let nothing else start: SIGTERM, to one process or to all of them, and
        after `grace` seconds SIGKILL to all. Only the first call counts."""
        with self._lock:
            if self._ending:
                return
            self._ending = True
            self._kill_at = time.monotonic() + grace
            if only is None:
                self._signal(signal.SIGTERM)
            else:
                only.send_signal(signal.SIGTERM)
            timer = threading.Timer(grace, self._signal, (signal.SIGKILL,))
            timer.daemon = True
            timer.start()

    def kill(self) -> None:
        """End what runs at once, without any notice, and let nothing else start."""
        with self._lock:
            self._ending = True
            self._kill_at = 0.0
            self._signal(signal.SIGKILL)

    def close(self) -> None:
        """Kill what is left of the processes, when their grace is over. Idempotent."""
        with self._lock:
            self._ending = True
        while time.monotonic() < self._kill_at and self._others():
            time.sleep(0.02)
        with self._lock:
            if self._guard.returncode is None:
                self._signal(signal.SIGKILL)
                os.close(self._hold)
                self._guard.wait()

    def _signal(self, number: signal.Signals) -> None:
        # The guard is not reaped before `close` is done: the number is this group's own.
        if self._guard.returncode is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._guard.pid, number)

    def _others(self) -> bool:
        """Whether the group has any process besides the guard."""
        guard = self._guard.pid
        return any(each.group == guard and each.pid != guard for each in processes())
