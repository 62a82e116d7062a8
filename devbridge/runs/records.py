"""What S3 has of a deployed run, as `runner.places` names it: records to JSON and back. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from devbridge.runs.model import State
from runner import documents
from runner.claims import Claim
from runner.outcome import Failure
from runner.triggered import triggered, variables

MAX_RESTARTS: Final = 10
"""How often a run is started again because its machine has gone."""

Log = tuple[str, str]
"""A group and a stream of CloudWatch Logs; the group is empty where it is the job's own."""


@dataclass(frozen=True, slots=True)
class Last:
    """The last run of a schedule."""

    uuid: str
    since: float
    """Seconds since the epoch."""
    etag: str
    """S3's word for this version of it."""


def told(claim: Claim, *, container: bool) -> dict[str, str]:
    """What whatever runs it is told of what was asked for. A `container`'s command has nobody that
    takes apart what a trigger has made."""
    if claim.payload_at:
        return {"DEVBRIDGE_PAYLOAD_KEY": claim.payload_at}
    found = triggered((claim.payload or "").encode()) if container else None
    if found is None:
        return {"DEVBRIDGE_PAYLOAD": claim.payload or "null"}
    return {"DEVBRIDGE_PAYLOAD": found.payload.decode(), **variables(found)}


@dataclass(frozen=True, slots=True)
class End:
    """That it was cancelled, or has ended without a word of its own."""

    state: State
    at: float
    failure: Failure | None = None
    started_at: float | None = None
    logs: tuple[Log, ...] = ()
    written_at: float = 0.0
    """When S3 got it, by its clock."""

    def body(self) -> bytes:
        """As S3 has it."""
        found: dict[str, Any] = {"state": self.state.value, "at": self.at}
        if self.failure is not None:
            found["error"] = documents.document(self.failure)
        if self.started_at is not None:
            found["startedAt"] = self.started_at
        if self.logs:
            found["logs"] = [list(log) for log in self.logs]
        return json.dumps(found).encode()

    @staticmethod
    def of(body: bytes, written_at: float = 0.0) -> End:
        """The inverse of `body`."""
        told = json.loads(body)
        return End(
            State(told["state"]),
            float(told["at"]),
            _failure(told),
            told.get("startedAt"),
            _logs(told),
            written_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the runner has told: that it has begun, or how it has ended."""

    state: State
    attempt: int = 1
    started_at: float | None = None
    ended_at: float | None = None
    result: bytes | None = None
    result_at: str = ""
    failure: Failure | None = None
    logs: tuple[Log, ...] = ()
    hop: int = 0
    """Of a function that continues itself: how often it has."""
    handed: bool = False
    """It goes on elsewhere: what ran it has said that it stops."""
    interruptions: int = 0
    written_at: float = 0.0
    """When S3 got it, by its clock."""

    @staticmethod
    def of(body: bytes, written_at: float = 0.0) -> Told:
        """What `runner.host` has written."""
        told = json.loads(body)
        # An attempt that was interrupted is no end of the run: it goes on in another place.
        known = told.get("state") in State.__members__
        return Told(
            state=State(told["state"]) if known else State.RUNNING,
            attempt=int(told.get("attempt", 1)),
            started_at=told.get("startedAt"),
            ended_at=told.get("endedAt"),
            result=_result(told),
            result_at=told.get("resultAt", ""),
            failure=_failure(told),
            logs=_logs(told),
            hop=int(told.get("hop", 0)),
            handed=bool(told.get("handed")),
            interruptions=int(told.get("interruptions", 0)),
            written_at=written_at,
        )


def _result(told: Mapping[str, Any]) -> bytes | None:
    if "result" not in told:
        return None
    return str(told["result"]).encode("utf-8", "surrogatepass")


def _failure(told: Mapping[str, Any]) -> Failure | None:
    return documents.read(told["error"]) if told.get("error") else None


def _logs(told: Mapping[str, Any]) -> tuple[Log, ...]:
    return tuple((group, stream) for group, stream in told.get("logs") or ())
