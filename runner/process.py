"""What Linux offers to tie processes together. Elsewhere these do nothing, or are not called."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when the thread that started it ends.

    Lost by the children that this process forks; kept over exec.
    """
    if sys.platform == "linux":
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before the call
            os._exit(1)


def outlive_parent() -> None:
    """Undo `die_with_parent`."""
    _prctl(_PR_SET_PDEATHSIG, 0)


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends, instead of init."""
    if sys.platform == "linux":
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def group_is_left(pid: int) -> bool:
    """Whether a child of ours (an adopted orphan) is in the group; dead ones are reaped."""
    try:
        while os.waitpid(-pid, os.WNOHANG)[0] != 0:
            pass
    except ChildProcessError:
        return False
    return True


def signal_group(pid: int, number: int) -> None:
    """Signal a process group, if any of it is left that we may signal."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def end_group(pid: int, linger: float) -> None:
    """End what a process that was reaped has left in its group: SIGTERM, and SIGKILL after
    `linger` seconds. Needs `adopt_orphans`; where there is none, SIGKILL at once."""
    if sys.platform != "linux":
        signal_group(pid, signal.SIGKILL)
        return
    until, number = time.monotonic() + linger, signal.SIGTERM
    while group_is_left(pid):
        if number == signal.SIGTERM or time.monotonic() >= until:
            signal_group(pid, number)
            number = signal.SIGKILL
        time.sleep(0.02)


def kill_children() -> None:
    """Kill the children of this process's main thread, and whoever they leave to us, until there
    is nobody. Linux only."""
    listing = f"/proc/self/task/{os.getpid()}/children"
    while True:
        try:
            with open(listing) as children:
                for child in children.read().split():
                    os.kill(int(child), signal.SIGKILL)
            os.waitpid(-1, 0)
        except OSError:
            return


def _prctl(option: int, value: int) -> None:
    import ctypes  # slow to import, and not needed in a container

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
