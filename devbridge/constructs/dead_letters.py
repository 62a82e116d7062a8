"""The dead-letter queue that is made for a job which has triggers and names none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from devbridge.constructs import values
from devbridge.constructs.app import App, Construct

KEPT: Final[timedelta] = values.RETENTION[1]
"""How long a job's own queues keep a message: SQS's most."""


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """That of one job, as an Alarm takes it."""

    owner: Construct
    """The job."""

    @property
    def app(self) -> App:
        """The job's."""
        return self.owner.app

    @property
    def retention(self) -> timedelta:
        """How long it keeps a message."""
        return KEPT

    def __repr__(self) -> str:
        return f"dead letters of {self.owner}"

    __str__ = __repr__
