"""TCP ports on loopback: is one free, and who has it?"""

from __future__ import annotations

import random
import shutil
import socket
import subprocess
from contextlib import suppress
from pathlib import Path


def free_port() -> int:
    """A port that nobody uses now.

    Below those that the system gives to outgoing connections: one of them could take it while the
    cloud is down, and who dials such a port while nobody listens can be connected to itself.
    """
    while True:
        port = random.randrange(10_000, 32_000)  # noqa: S311
        if is_free(port):
            return port


def is_free(port: int) -> bool:
    """Whether 127.0.0.1:`port` could be bound, and nobody answers there."""
    with socket.socket() as client:
        client.settimeout(1.0)
        if client.connect_ex(("127.0.0.1", port)) == 0:
            return False
    with socket.socket() as probe:
        # A connection of a server that has ended (TIME_WAIT) does not make its port taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def listener(port: int) -> str | None:
    """The process that listens on the port, as ``name (pid 12)``; None where it can't be known."""
    return _linux_listener(port) if Path("/proc/net/tcp").exists() else _lsof_listener(port)


def _linux_listener(port: int) -> str | None:
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                listening = fields[3] == "0A"
                if listening and int(fields[1].rpartition(":")[2], 16) == port:
                    inodes.add(f"socket:[{fields[9]}]")
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # another user's, or gone by now
            for link in (process / "fd").iterdir():
                with suppress(OSError):
                    if str(link.readlink()) in inodes:
                        name = (process / "comm").read_text().strip()
                        return f"{name} (pid {process.name})"
    return None


def _lsof_listener(port: int) -> str | None:
    if not shutil.which("lsof"):
        return None
    with suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(
            ["lsof", "-nP", f"-iTCP:{port}", "-sTCP:LISTEN", "-Fpc"],
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
        fields = {line[0]: line[1:] for line in done.stdout.splitlines() if line}
        if "p" in fields:
            return f"{fields.get('c', 'a process')} (pid {fields['p']})"
    return None
