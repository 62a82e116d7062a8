"""What is written of a run before it begins: what was asked for, and what runs it. Pure."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import Any

_NAMESPACE = uuid.UUID("6f0f3c5e-50cf-5d0c-9d5e-2d6b8f1f7a10")


def run_uuid(app: str, stage: str, job: str, key: str) -> str:
    """What names the run of a job that a key (of idempotency, of a message) stands for.

    The same key always gives the same id, whoever computes it.
    """
    name = json.dumps([app, stage, job, key], separators=(",", ":"))
    return str(uuid.uuid5(_NAMESPACE, name))


@dataclass(frozen=True, slots=True)
class Claim:
    """What was asked for. Whoever has made it starts the run."""

    created_at: float
    attempts: int
    compute: str
    payload: str | None = None
    """A JSON text, if it may be in the provider's records."""
    payload_at: str = ""
    """Its key in the asset bucket, if not."""

    def body(self) -> bytes:
        """As S3 has it."""
        found: dict[str, Any] = {
            "createdAt": self.created_at,
            "attempts": self.attempts,
            "compute": self.compute,
            "restarts": 0,
        }
        if self.payload is not None:
            found["payload"] = self.payload
        if self.payload_at:
            found["payloadAt"] = self.payload_at
        return json.dumps(found).encode()

    @staticmethod
    def of(body: bytes) -> Claim:
        """The inverse of `body`."""
        told = json.loads(body)
        return Claim(
            float(told["createdAt"]),
            int(told.get("attempts", 1)),
            told.get("compute", ""),
            told.get("payload"),
            told.get("payloadAt", ""),
        )


@dataclass(frozen=True, slots=True)
class Place:
    """Which of the provider's things runs it."""

    id: str
    compute: str
    at: float
    """When it was started there."""
    restarts: int = 0
    earlier: tuple[str, ...] = ()
    """The ids of those that have run it before, and have gone."""

    def body(self) -> bytes:
        """As S3 has it."""
        found = {"id": self.id, "compute": self.compute, "at": self.at}
        more = {"restarts": self.restarts, "earlier": list(self.earlier)} if self.restarts else {}
        return json.dumps({**found, **more}).encode()

    @staticmethod
    def of(body: bytes) -> Place:
        """The inverse of `body`."""
        told = json.loads(body)
        return Place(
            told["id"],
            told["compute"],
            float(told["at"]),
            int(told.get("restarts", 0)),
            tuple(told.get("earlier", ())),
        )
