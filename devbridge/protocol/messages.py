"""The messages of the wire protocol.

A *request* about a run, or a *call* of a live function, goes from a stub to the daemon and names
the stub to answer; a *reply* goes back and carries the request's id, which is all that a stub
resolves a waiter by. Ids are UUIDs in their
canonical text form. Times are seconds since the epoch (UTC).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

VERSION: Final = 3
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
class Invoke:
    """Call a live function: now, once, or never. It waits in no queue and in no ledger.

    `event` is a JSON text; where it is too large for the wire, `event_key` names the object of the
    stage's bucket that has it.
    """

    request_id: str
    """Of this message: however often it is sent, the function is called once."""
    stub_id: str
    function: str
    aws_request_id: str
    """Lambda's own id of the request. An event that is tried again keeps it."""
    function_arn: str
    remaining: int
    """Milliseconds for which the stub waits. No time of day, on which two machines may differ."""
    client_context: str | None = None
    identity: str | None = None
    """As Lambda's Runtime API has them, JSON objects in ASCII."""
    trace_id: str | None = None
    event_key: str | None = None
    event: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Abandoned:
    """Nobody waits for the answer to an `Invoke` any more."""

    request_id: str
    stub_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The function is being called: the answer may take as long as the function may."""

    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Responded:
    """What the function has returned: a JSON text, or the key of the object that has it."""

    request_id: str
    body_key: str | None = None
    body: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """How the function has failed: Lambda's own document of an error (``errorType``,
    ``errorMessage``, ``stackTrace``), as JSON."""

    request_id: str
    error: bytes


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
    version: int = 1
    """The newest version of this protocol that the daemon understands; 1 if it does not say."""


Request = Run | Cancel | Status
Call = Invoke | Abandoned
Reply = Accepted | Rejected | Cancelled | StatusReply
CallReply = Taken | Responded | Raised | Rejected
Message = Request | Call | Reply | CallReply | Presence

NOBODY: Final = "00000000-0000-0000-0000-000000000000"
"""The stub id of a request that no stub waits for: a run that one daemon hands over to another."""

REJECT_UNKNOWN_JOB: Final = "UnknownJob"
REJECT_UNKNOWN_RUN: Final = "UnknownRun"
REJECT_UNKNOWN_FUNCTION: Final = "UnknownFunction"
REJECT_TOO_LARGE: Final = "PayloadTooLarge"
REJECT_BUSY: Final = "Busy"


def is_unknown_run(reply: Reply | CallReply) -> bool:
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
    def calls(self) -> str:
        """From the stubs of live functions to the daemon; at QoS 0, so that nothing waits there."""
        return f"{self.prefix}/calls"

    @property
    def presence(self) -> str:
        """Where the daemon says, retained, whether it is there."""
        return f"{self.prefix}/presence"

    def replies(self, stub_id: str) -> str:
        """From the daemon to one stub."""
        return f"{self.prefix}/replies/{stub_id}"

    @property
    def call_keys(self) -> str:
        """What the keys of all objects of calls begin with."""
        return f"calls/{self.app}/{self.stage}/"

    def event_key(self, request_id: str) -> str:
        """The object that has the event of a call which is too large for the wire."""
        return f"{self.call_keys}{request_id}/event"

    def answer_key(self, request_id: str) -> str:
        """The object that has its answer, likewise."""
        return f"{self.call_keys}{request_id}/answer"

    @property
    def daemon_client_id(self) -> str:
        """The MQTT client id of the stage's one daemon: a newer one takes the connection over."""
        return f"devbridge-{self.app}--{self.stage}--daemon"

    def stub_client_id(self, stub_id: str) -> str:
        """The MQTT client id of one stub."""
        return f"devbridge-{self.app}--{self.stage}--stub-{stub_id}"
