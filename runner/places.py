"""Where S3 has what is known of a deployed run: the keys in the asset bucket. Pure.

The invoker writes what it has asked for, the runner what it tells; no object has two writers.
"""

from __future__ import annotations

from dataclasses import dataclass

_LAST = 9_999_999_999_999
"""Milliseconds since the epoch that no run is asked for after."""


@dataclass(frozen=True)
class Places:
    """The keys of one job's runs. `own` is ``APP/STAGE/JOB``, a run is named by its uuid."""

    own: str

    def claim(self, uuid: str) -> str:
        """What was asked for; who makes it starts the run."""
        return f"runs/{self.own}/{uuid}.json"

    def start(self, uuid: str, restarts: int, number: int) -> str:
        """That somebody starts it; `number`: after so many who have died over it."""
        return f"runs/{self.own}/{uuid}.start-{restarts}.{number}.json"

    def place(self, uuid: str) -> str:
        """Which of the provider's things runs it."""
        return f"runs/{self.own}/{uuid}.place.json"

    def end(self, uuid: str) -> str:
        """That it was cancelled, or has ended without a word of its own."""
        return f"runs/{self.own}/{uuid}.end.json"

    def told(self, uuid: str) -> str:
        """What the runner tells of it."""
        return f"told/{self.own}/{uuid}.json"

    def last(self, schedule: str) -> str:
        """Which run of a schedule is the last one."""
        return f"runs/{self.own}/last.{schedule}.json"

    def checkpoint(self, uuid: str) -> str:
        """The last value that its handler has yielded, and that was stored."""
        return f"checkpoints/{self.own}/{uuid}.json"

    def payload(self, uuid: str) -> str:
        """What it was given."""
        return f"payloads/{self.own}/{uuid}.json"

    def result(self, uuid: str) -> str:
        """What its handler has returned, if that is large."""
        return f"results/{self.own}/{uuid}.json"

    @property
    def listed(self) -> str:
        """What the keys of the list begin with: S3 lists them in order, the newest run first."""
        return f"listed/{self.own}/"

    def in_list(self, uuid: str, created_at: float) -> str:
        """A run's key in the list. `created_at`: seconds since the epoch."""
        return f"{self.listed}{_LAST - int(created_at * 1000):013d}-{uuid}"


def uuid_in_list(key: str) -> str:
    """The run that a key of the list names."""
    return key.rpartition("/")[2].partition("-")[2]
