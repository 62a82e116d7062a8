"""The messages of the wire protocol.

A *request* goes from a stub to the daemon and names the stub to answer; a *reply* goes back and
carries the request's id, which is all that a stub resolves a waiter by. Ids are UUIDs in their
canonical text form. Times are seconds since the epoch (UTC).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

VERSION: Final = 2
"""The newest that is understood. A message is of the first one, unless it has what that has not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Start a job. `payload` is a JSON text as it came; nobody on the way parses it."""

    request_id: str
    stub_id: str
    sent_at: float
    job: str
    job_id: str
    payload: bytes
    idempotency_key: str | None = None
    checkpoint: bytes | None = None
    """A JSON text: where it begins. Version 2: who does not know it must not begin elsewhere."""
    alone: str | None = None
    """The schedule of which no other run of the job may go on: else that one is the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """Cancel a job by its id, whatever state it is in."""

    request_id: str
    stub_id: str
    sent_at: float
    job_id: str
    job: str = ""
    """Whose invoker is asking: it may only speak of its own job's runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Ask for a job's state and, when it has ended, its error or (as it may be large, only
    `with_result`) its result."""

    request_id: str
    stub_id: str
    sent_at: float
    job_id: str
    job: str = ""
    with_result: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The ledger has the job. `state` is its state now; `duplicate` says it was there before."""

    request_id: str
    job_id: str
    state: str
    duplicate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """The daemon will not do it. `code` is one of the REJECT_ constants."""

    request_id: str
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """The cancellation was taken. `was` is the job's state before it, `state` the one after it."""

    request_id: str
    job_id: str
    state: str
    was: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReply:
    """A job's state; `result` is a JSON text when it succeeded, `error_*` when it did not."""

    request_id: str
    job_id: str
    job: str
    state: str
    attempt: int
    max_attempts: int
    result: bytes | None = None
    error_type: str | None = None
    error_message: str | None = None
    error: str | None = None
    """All that is told of it, as JSON: see `runner.documents`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """The daemon's retained announcement, and (with `online` false) its last will."""

    online: bool
    daemon_id: str
    host: str
    user: str
    pid: int
    since: float
    session_expiry: int
    """Seconds for which the broker keeps requests for a daemon that went away."""


Request = Run | Cancel | Status
Reply = Accepted | Rejected | Cancelled | StatusReply
Message = Request | Reply | Presence

NOBODY: Final = "00000000-0000-0000-0000-000000000000"
"""The stub id of a request that no stub waits for: a run that one daemon hands over to another."""

REJECT_UNKNOWN_JOB: Final = "UnknownJob"
REJECT_UNKNOWN_RUN: Final = "UnknownRun"
REJECT_TOO_LARGE: Final = "PayloadTooLarge"
REJECT_BUSY: Final = "Busy"


def is_unknown_run(reply: Reply) -> bool:
    """Whether the daemon knows nothing of the run. Another one, which it has taken the stage over
    from, may: wait a moment for its answer."""
    return isinstance(reply, Rejected) and reply.code == REJECT_UNKNOWN_RUN


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one app and stage; IAM policies name `prefix` and nothing wider."""

    app: str
    stage: str

    @property
    def prefix(self) -> str:
        """What all topics of the stage begin with."""
        return f"devbridge/{self.app}/{self.stage}"

    @property
    def requests(self) -> str:
        """From the stubs to the daemon."""
        return f"{self.prefix}/requests"

    @property
    def presence(self) -> str:
        """Where the daemon says, retained, whether it is there."""
        return f"{self.prefix}/presence"

    def replies(self, stub_id: str) -> str:
        """From the daemon to one stub."""
        return f"{self.prefix}/replies/{stub_id}"

    @property
    def daemon_client_id(self) -> str:
        """The MQTT client id of the stage's one daemon: a newer one takes the connection over."""
        return f"devbridge-{self.app}--{self.stage}--daemon"

    def stub_client_id(self, stub_id: str) -> str:
        """The MQTT client id of one stub."""
        return f"devbridge-{self.app}--{self.stage}--stub-{stub_id}"
