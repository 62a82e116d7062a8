"""Who is at the other end of a connection from this machine."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import Final

_CONNECTIONS: Final = Path("/proc/net/tcp")
_LOCAL, _REMOTE, _UID = 1, 2, 7
"""Its columns: see proc_pid_net(5)."""

NOBODY: Final = -1
"""It has hung up."""

Address = tuple[str, int]


def user_of(peer: Address, here: Address) -> int | None:
    """Whose process has made the connection. None where the system does not tell.

    Args:
        peer: the address that it comes from, of IPv4.
        here: the address that it has come to.
    """
    ends = _shown(peer), _shown(here)
    try:
        rows = [line.split() for line in _CONNECTIONS.read_text("ascii").splitlines()[1:]]
    except OSError:
        return None
    found = [int(row[_UID]) for row in rows if (row[_LOCAL], row[_REMOTE]) == ends]
    return found[0] if len(found) == 1 else NOBODY


def is_own(peer: Address, here: Address) -> bool:
    """Whether a process of this user has made the connection. False where that is not known."""
    return user_of(peer, here) == os.getuid()


def _shown(address: Address) -> str:
    number = int.from_bytes(socket.inet_aton(address[0]), sys.byteorder)
    return f"{number:08X}:{address[1]:04X}"
