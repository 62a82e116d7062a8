"""Whose turn it is: jobs wait in the order of their queue for vCPUs of its environments."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from .definitions import Need

MAX_RESOURCE: Final = "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE"
REQUIREMENT: Final = "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT"
_TEXTS: Final = {
    MAX_RESOURCE: "CE(s) associated with the job queue cannot meet the CPU requirement of the job.",
    REQUIREMENT: "The job resource requirement (vCPU/memory/GPU) is higher than that can be met by"
    " the CE(s) attached to the job queue.",
}


@dataclass(frozen=True, slots=True)
class Environment:
    """A compute environment, as far as it decides about turns."""

    arn: str
    vcpus: float
    """The most that its jobs may have at the same time."""
    has_gpus: bool = True


@dataclass(eq=False)
class Turn:
    """A job's place in its queue, and then what it has of an environment."""

    queue: str
    need: Need
    environments: Callable[[], Sequence[Environment]]
    """The queue's, in its order, as they are now."""
    came: threading.Event = field(default_factory=threading.Event)
    environment: str = ""
    """Whose vCPUs it has; empty: it waits."""


def never(need: Need, environments: Sequence[Environment]) -> str:
    """Why no environment can ever run it, in Batch's words; empty: one can."""
    able = [each for each in environments if each.has_gpus or not need.gpus]
    if not able:
        return REQUIREMENT
    return "" if any(need.vcpus <= each.vcpus for each in able) else MAX_RESOURCE


def told(reason: str) -> str:
    """A reason as a job that is stuck shows it."""
    return f"{reason} - {_TEXTS[reason]}"


def placed(
    need: Need, environments: Sequence[Environment], used: Mapping[str, float]
) -> str | None:
    """The environment that can run it now."""
    for each in environments:
        fits = used.get(each.arn, 0.0) + need.vcpus <= each.vcpus
        if fits and (each.has_gpus or not need.gpus):
            return each.arn
    return None


class Scheduler:
    """All turns of this cloud. Each method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, list[Turn]] = {}
        self._used: dict[str, float] = {}

    def enter(self, turn: Turn) -> None:
        """Wait behind all others of the queue."""
        with self._lock:
            self._waiting.setdefault(turn.queue, []).append(turn)
        self.admit()

    def leave(self, turn: Turn) -> None:
        """Give up a place, or what one has."""
        with self._lock:
            waiting = self._waiting.get(turn.queue, [])
            if turn in waiting:
                waiting.remove(turn)
            elif turn.environment:
                self._used[turn.environment] -= turn.need.vcpus
                turn.environment = ""
        self.admit()

    def is_first(self, turn: Turn) -> bool:
        """Whether it is at the head of its queue."""
        with self._lock:
            return self._waiting.get(turn.queue, [None])[:1] == [turn]

    def admit(self) -> None:
        """Let those begin whose turn has come: who waits at the head of a queue blocks it."""
        with self._lock:
            for waiting in self._waiting.values():
                while waiting:
                    turn = waiting[0]
                    found = placed(turn.need, turn.environments(), self._used)
                    if found is None:
                        break
                    waiting.pop(0)
                    turn.environment = found
                    self._used[found] = self._used.get(found, 0.0) + turn.need.vcpus
                    turn.came.set()
