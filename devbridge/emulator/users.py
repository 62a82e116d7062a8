"""Who uses an embedded cloud: it lives as long as one of them does.

In the cloud's folder: ``users``, on which each user holds a shared lock; and ``user-PID``, which
says for people who that is. A lock ends with its process, however that ends. The cloud itself
waits for the exclusive lock (see `child`): who has that knows that there is no user, and that none
can come.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from devbridge.emulator.state import try_lock
from devbridge.folders import private_file
from devbridge.pids import lives

FILE: Final = "users"
"""In the cloud's folder: what users lock."""
_NAMED: Final = "user-"


@dataclass(slots=True)
class User:
    """One user's hold on the cloud of a folder. Not inherited by child processes."""

    cloud_dir: Path
    fd: int
    name: Path

    @classmethod
    def join(cls, cloud_dir: Path, who: str) -> Self | None:
        """Use the cloud of that folder, or the one that is about to start; None: it is stopping."""
        if (fd := try_lock(cloud_dir, fcntl.LOCK_SH, FILE)) is None:
            return None
        name = cloud_dir / f"{_NAMED}{os.getpid()}-{fd}"
        with suppress(OSError), os.fdopen(private_file(name), "w", encoding="utf-8") as file:
            file.write(who)  # for people only
        return cls(cloud_dir, fd, name)

    def is_last(self) -> bool:
        """Whether nobody else uses it. Then this is no user any more, and nobody can join before
        `leave`; else nothing has changed."""
        # The change of a lock is not atomic: the cloud itself may get it in between.
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass
        else:
            return True
        try:
            fcntl.flock(self.fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True  # the cloud has it, and stops; or another last one stops it
        return False

    def leave(self) -> None:
        """Idempotent."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            with suppress(OSError):
                self.name.unlink(missing_ok=True)
            os.close(fd)


def users_of(cloud_dir: Path) -> list[str]:
    """Who uses the cloud, in words: ``devbridge dev of stage ann, pid 4711``."""
    found = []
    with suppress(OSError):
        for path in sorted(cloud_dir.glob(f"{_NAMED}*")):
            pid = path.name.removeprefix(_NAMED).partition("-")[0]
            if pid.isdigit() and lives(int(pid)):
                found.append(f"{path.read_text(encoding='utf-8')}, pid {pid}")
            else:
                path.unlink(missing_ok=True)
    return found


def unused(cloud_dir: Path) -> int | None:
    """A lock by which nobody can begin to use the cloud until it is closed; None: it is in use."""
    return try_lock(cloud_dir, fcntl.LOCK_EX, FILE)
