"""What tells of a running embedded cloud: its state file, its lock, and its answer.

In ``.devbridge/cloud``: ``lock`` (held by the cloud's process as long as it lives: whoever can take
it knows that none runs) and ``state.json`` (where it answers, for other commands).
"""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from devbridge.config import Config
from devbridge.emulator.inside import child
from devbridge.folders import write_private

HOST: Final = "127.0.0.1"
HEALTH: Final = "/_devbridge/health"
"""`inside.gate.doors`'s."""


@dataclass(frozen=True, slots=True)
class Running:
    """An embedded cloud that answers, whoever started it."""

    port: int
    pid: int
    started_at: float
    """Seconds since the epoch."""
    detached: bool = False
    """Whether it stays until it is stopped (`embedded.stop_running`) or ends with its last user."""
    code: str = ""
    """Which code of devbridge runs in it: see `code_of_inside`."""

    @property
    def endpoint_url(self) -> str:
        """Where all its services answer."""
        return f"http://{HOST}:{self.port}"


def attach(config: Config) -> Running | None:
    """The embedded cloud of this app's folder if one runs and answers. Removes a stale state."""
    running = read(config.cloud_dir)
    if running is None:
        return None
    lock = try_lock(config.cloud_dir, fcntl.LOCK_SH)
    if lock is not None:
        forget(config.cloud_dir)
        os.close(lock)
        return None
    return running if healthy(running.port) else None


def healthy(port: int, timeout: float = 2.0) -> bool:
    """Whether an embedded cloud answers on that port within `timeout` seconds."""
    connection = http.client.HTTPConnection(HOST, port, timeout=timeout)
    try:
        connection.request("GET", HEALTH)
        response = connection.getresponse()
        return response.status == 200 and json.load(response) == {"status": "ok"}
    except (OSError, ValueError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def state_file(cloud_dir: Path) -> Path:
    """Where the state of the cloud in that folder is."""
    return cloud_dir / "state.json"


def read(cloud_dir: Path) -> Running | None:
    """What the state file says, true or not; None where there is none, or a damaged one."""
    try:
        return Running(**json.loads(state_file(cloud_dir).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def has_ended(cloud_dir: Path) -> bool:
    """Whether no cloud has the lock. A folder that never had one has none."""
    if not (cloud_dir / "lock").exists():
        return True
    lock = try_lock(cloud_dir, fcntl.LOCK_SH)
    if lock is not None:
        os.close(lock)
    return lock is not None


def try_lock(cloud_dir: Path, kind: int, file: str = "lock") -> int | None:
    """A descriptor that holds the cloud's lock, or that on another file of its folder, until it is
    closed (`kind`: LOCK_SH or LOCK_EX); None while somebody else has it."""
    lock = os.open(cloud_dir / file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def stays(cloud_dir: Path, pid: int) -> bool:
    """Whether the cloud with that process id was told to run on without users."""
    running = read(cloud_dir)
    return running is not None and running.detached and running.pid == pid


def write(cloud_dir: Path, running: Running) -> None:
    """Let other commands find it."""
    write_private(state_file(cloud_dir), json.dumps(asdict(running)))


def forget(cloud_dir: Path) -> None:
    """Let nobody attach to the cloud of that folder: it is stopping, or gone."""
    state_file(cloud_dir).unlink(missing_ok=True)


def code_of_inside() -> str:
    """A fingerprint of the code that runs inside ministack's process: `inside`, all of it."""
    digest = hashlib.sha256()
    folder = Path(child.__file__).parent
    for path in sorted(each for each in folder.rglob("*") if each.suffix in (".py", ".mjs")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
