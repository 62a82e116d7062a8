"""What Batch and Fargate tell alike of a container that has ended: Amazon ECS runs both. Pure."""

from __future__ import annotations

import json
import re
from typing import Final

from devbridge.protocol.ids import is_id
from devbridge.runs.model import State
from devbridge.runs.providers.base import KILLED
from runner.outcome import Failure

CONTAINER: Final = "job"
"""The name of the container that a job is."""
CANCELLED: Final = "cancelled by devbridge"
"""The reason that is given when a run is cancelled."""
_GONE: Final = re.compile(
    r"Host EC2 .*terminated|Your Spot Task was interrupted|Spot interruption"
    r"|Container instance .*(?:terminated|stopped)|Task retirement",
    re.IGNORECASE,
)
_NAMED: Final = re.compile(
    r"\b(CannotPullContainerError|CannotPullImageManifestError|CannotStartContainerError"
    r"|CannotCreateContainerError|CannotCreateVolumeError|ResourceInitializationError"
    r"|ContainerRuntimeError|ContainerRuntimeTimeoutError|DockerTimeoutError|InternalError"
    r"|TaskFailedToStart|OutOfMemoryError)\b:?\s*(.*)",
    re.DOTALL,
)
_PLAIN: Final = re.compile(r"Essential container in task exited|Task failed to start")
_SIGNALLED: Final = 128
_ROOM: Final = 8192 - 1024
"""Characters that a payload may have in a task's overrides, which are 8192 as a JSON text, with all
that is around it: with the longest names, and with what Batch adds, about 820."""


def holds(payload: str) -> bool:
    """Whether a task's overrides have room for a payload, which is a text in a JSON text there."""
    return len(json.dumps(payload)) <= _ROOM


def is_own(reason: str) -> bool:
    """Whether these are the provider's own words, and not those of who has ended something."""
    return gone(reason) or _NAMED.search(reason) is not None or _PLAIN.search(reason) is not None


def gone(reason: str) -> bool:
    """Whether this says that the machine was taken away, or has gone."""
    return _GONE.search(reason) is not None


def ended(code: int | None, reason: str, *, gone: bool) -> tuple[State, Failure | None, bool]:
    """How a container has ended that has told nothing itself, and whether because its machine has
    gone.

    Args:
        code: its exit code.
        reason: what its provider says.
    """
    named = _NAMED.search(reason)
    if named and named[1] == "OutOfMemoryError":
        text = "memory ran out, and the container was killed: give the job more memory"
        return State.CRASHED, Failure("OutOfMemory", text), False
    if gone:
        text = f"the machine has gone: {reason}" if reason else "the machine has gone"
        return State.CRASHED, Failure("HostTerminated", text), True
    if named and code is None:
        return State.CRASHED, Failure(named[1], named[2].strip() or named[1]), False
    exited = code is not None and code <= _SIGNALLED
    return State.FAILED if exited else State.CRASHED, _plain(code, reason), False


def _plain(code: int | None, reason: str) -> Failure:
    if code is None:
        what = reason or "nobody has said why"
        return Failure("NotStarted", f"the container did not run: {what}")
    if code == KILLED:
        text = "the container was ended by SIGKILL (the kernel does that when memory runs out)"
        return Failure("Killed", text)
    if code > _SIGNALLED:
        text = f"the container was ended by signal {code - _SIGNALLED}"
        return Failure("Killed", text)
    return Failure("CommandFailed", f"the command exited with code {code}")


def uuid_of(token: object) -> str:
    """The run that a job or a task was named after; empty: it is no run."""
    uuid = str(token or "")[:36]
    return uuid if is_id(uuid) else ""
