"""What has queues and streams not read any more when `devbridge dev` could not see to it itself: it
was killed, or stopped at once.

A process of its own, which hears from `devbridge dev` what is read, and whose standard input ends
when that one does, however that ends: ``python -m devbridge.live.guard``. It is in a session of its
own, so what a terminal sends to all that runs there does not end it, too.
"""

from __future__ import annotations

import fcntl
import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from devbridge.config import Config
from devbridge.runs.lock import daemon_runs

_AT_END: Final = 5.0
"""Seconds for it to end when it has nothing to do."""


@dataclass(frozen=True, slots=True)
class Read:
    """What is read while `devbridge dev` is there."""

    config: Config
    endpoint_url: str | None
    daemon: int
    """The process of that `devbridge dev`."""
    mappings: Sequence[str]
    """The ids of the event source mappings."""


class Guard:
    """`devbridge dev`'s end of it."""

    def __init__(self, config: Config, endpoint_url: str | None) -> None:
        """
        Args:
            endpoint_url: of the cloud; None: AWS itself.
        """
        self._config = config
        self._endpoint_url = endpoint_url
        self._process: subprocess.Popen[bytes] | None = None

    def watch(self, mappings: Sequence[str]) -> None:
        """From when it returns these are to be disabled when this process has gone."""
        if not mappings and self._process is None:
            return
        # Where no process can be had, all is as if there were no guard.
        with suppress(OSError):
            process = self._process = self._process or _start()
            self._tell(process, mappings)
            assert process.stdout is not None  # noqa: S101 - it was asked for
            process.stdout.readline()  # it has heard it; or it has gone

    def release(self) -> None:
        """They are disabled, or another's: nothing is left to do. Idempotent."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(OSError):
            self._tell(process, ())
        try:
            process.communicate(timeout=_AT_END)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _tell(self, process: subprocess.Popen[bytes], mappings: Sequence[str]) -> None:
        assert process.stdin is not None  # noqa: S101 - it was asked for
        told = Read(self._config, self._endpoint_url, os.getpid(), tuple(mappings))
        process.stdin.write(pickle.dumps(told))
        process.stdin.flush()


def _start() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "devbridge.live.guard"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def main() -> int:
    """Wait until `devbridge dev` has gone, and disable what it has left enabled."""
    last: Read | None = None
    with suppress(EOFError, pickle.UnpicklingError):  # it may go in the middle of a word
        while True:
            told: Read = pickle.load(sys.stdin.buffer)  # noqa: S301 - our own parent's
            if last is None and told.config.local:
                _hold(told.config.cloud_dir)
            last = told
            with suppress(OSError):  # it has gone
                print(flush=True)
    if last is not None and last.mappings:
        disable(last)
    return 0


def _hold(cloud_dir: Path) -> None:
    """Have the embedded cloud stay as long as this process: it ends with its last user."""
    from devbridge.emulator import state, users

    state.try_lock(cloud_dir, fcntl.LOCK_SH, users.FILE)


def disable(read: Read) -> None:
    """Disable the mappings, unless another `devbridge dev` of this folder runs the stage already.

    Raises:
        DevbridgeError, botocore's errors: one could not be.
    """
    from devbridge.cloud.session import connect

    client = connect(read.config, read.endpoint_url).client("lambda")
    for uuid in read.mappings:
        if _has_followed(read.config, read.daemon):
            return
        client.update_event_source_mapping(UUID=uuid, Enabled=False)


def _has_followed(config: Config, daemon: int) -> bool:
    """Whether a process runs the stage, and not the one that has gone, which may still be there as
    long as nobody has asked how it has ended."""
    with suppress(OSError):
        if config.lock.read_text(encoding="utf-8").strip() == f"{daemon}":
            return False
    return daemon_runs(config)


if __name__ == "__main__":
    sys.exit(main())
