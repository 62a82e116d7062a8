"""The memory limit of a job's process, where the environment sets one; nothing where it does not.

RLIMIT_DATA, which Linux counts in private writable memory. Each process that the handler starts
gets the same limit for itself.
"""

from __future__ import annotations

import os
import sys
from typing import Any

VARIABLE = "DEVBRIDGE_MEMORY_LIMIT"

_limit = 0


def set_memory() -> None:
    """From now on memory over the limit is refused: Python raises MemoryError."""
    global _limit  # noqa: PLW0603 - as the limit itself, one for the process
    _limit = int(os.environ.get(VARIABLE) or 0)
    if not _limit:
        return
    import resource  # most have no limit

    # The hard limit stays, so that the error can be reported.
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    soft = _limit if hard == resource.RLIM_INFINITY else min(_limit, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
    if sys.platform != "linux":
        print("runner: memory_limit has no effect on this system", file=sys.stderr)


def lift_memory() -> None:
    """The handler has ended: what it held may still be held while that is reported."""
    if not _limit:
        return
    import resource  # most have no limit

    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))


def explain(error: BaseException, described: dict[str, Any]) -> dict[str, Any]:
    """A MemoryError under a limit says which; other errors are left as they are."""
    if _limit and isinstance(error, MemoryError):
        limit = f"the process reached its memory_limit of {_limit >> 20} MiB"
        message = described["errorMessage"]
        described["errorMessage"] = f"{message} ({limit})" if message else limit
    return described
