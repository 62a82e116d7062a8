"""What a run's machines tell of it, and one another: a JSON document. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from runner import documents
from runner.outcome import CRASHED, ENDED, QUEUED, RUNNING, End, Failure

MAX_ERROR = 64 * 1024
"""Bytes of an error in S3."""
MAX_INTERRUPTIONS = 25
MAX_IDLE = 3
"""Interruptions in a row without a new checkpoint between them."""


@dataclass(frozen=True)
class Told:
    """A run as one machine leaves it to whoever asks, and to the next machine."""

    state: str = QUEUED
    attempt: int = 1
    started_at: float | None = None
    """Seconds since the epoch: when the first attempt began."""
    ended_at: float | None = None
    result: str | None = None
    """A JSON text, or ``@KEY`` of where it is in S3."""
    failure: Failure | None = None
    secret: bool = True
    """The failure may say something of the payload. Told to hosts only."""
    logs: tuple[tuple[str, str], ...] = ()
    """The log groups and streams of its machines, the first one first."""
    interruptions: int = 0
    idle: int = 0
    """The last ones of them that brought no new checkpoint."""
    mark: str = ""
    """The checkpoint at the last one, as `mark` writes it."""
    handed: bool = False
    """The last machine has said that it stops; if not, it may have died without a word."""
    hop: int = 0
    """Which of its invocations runs it, or is to, in a Lambda function."""
    owner: str = ""
    """What only that invocation knows."""
    spent: float = 0.0
    """Seconds that the attempt has had on earlier machines, where they count."""
    not_before: float = 0.0
    """Seconds since the epoch: when the next attempt may begin."""

    @property
    def ended(self) -> bool:
        """Whether there is nothing more to come."""
        return self.state in ENDED

    def running(self, now: float, logs: tuple[str, str] | None) -> Told:
        """An attempt begins."""
        known = self.logs if logs is None or logs in self.logs else (*self.logs, logs)
        started = self.started_at if self.started_at is not None else now
        return replace(self, state=RUNNING, started_at=started, logs=known, handed=False)

    def interrupted(self, checkpoint: bytes | None) -> Told:
        """The machine was taken away with this as the run's last checkpoint."""
        at = mark(checkpoint)
        idle = self.idle + 1 if self.interruptions and at == self.mark else 1
        return replace(
            self, interruptions=self.interruptions + 1, idle=idle, mark=at, not_before=0.0
        )

    def stuck(self) -> End | None:
        """How it ends if it was interrupted too often."""
        if self.idle >= MAX_IDLE:
            at = "at the same checkpoint" if self.mark else "before its first checkpoint"
            what = f"interrupted {self.idle} times without progress, {at}"
        elif self.interruptions >= MAX_INTERRUPTIONS:
            what = f"interrupted {self.interruptions} times"
        else:
            return None
        return End(CRASHED, failure=Failure("Interrupted", what), final=True)


def mark(checkpoint: bytes | None) -> str:
    """What tells one checkpoint from another; "" of none."""
    return "" if checkpoint is None else hashlib.sha256(checkpoint).hexdigest()[:16]


def text(told: Told) -> bytes:
    """The document. What says nothing is left out."""
    result = told.result or ""
    error = told.failure and json.loads(documents.text(told.failure, MAX_ERROR))
    document = {
        "state": told.state,
        "attempt": told.attempt,
        "startedAt": told.started_at,
        "endedAt": told.ended_at,
        "result": None if result.startswith("@") else result or None,
        "resultAt": result[1:] if result.startswith("@") else None,
        "error": error,
        "logs": told.logs,
        "interruptions": told.interruptions,
        "idle": told.idle or None,
        "mark": told.mark or None,
        "handed": told.handed or None,
        "hop": told.hop,
        "owner": told.owner or None,
        "spent": told.spent or None,
        "notBefore": told.not_before or None,
    }
    return json.dumps({key: value for key, value in document.items() if value is not None}).encode()


def read(body: bytes) -> Told:
    """What such a document says.

    Raises:
        ValueError: it is none.
    """
    try:
        document: Mapping[str, Any] = json.loads(body)
        at = document.get("resultAt")
        return Told(
            state=document["state"],
            attempt=int(document["attempt"]),
            started_at=document.get("startedAt"),
            ended_at=document.get("endedAt"),
            result=f"@{at}" if at else document.get("result"),
            failure=documents.read(document["error"]) if "error" in document else None,
            logs=tuple((group, stream) for group, stream in document.get("logs", ())),
            interruptions=int(document.get("interruptions", 0)),
            idle=int(document.get("idle", 0)),
            mark=document.get("mark", ""),
            handed=bool(document.get("handed")),
            hop=int(document.get("hop", 0)),
            owner=document.get("owner", ""),
            spent=float(document.get("spent", 0)),
            not_before=float(document.get("notBefore", 0)),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"what was told of the run cannot be read: {error!r}") from error
