"""What callers send to an invoker, and the answers that they get.

The event is ``{"devbridge": 1, "action": "run" | "schedule" | "cancel" | "status" | "result",
"payload": any, "jobId": text, "idempotencyKey": text, "generatedKey": bool}``; `schedule`, which is
`run` with a time, ``"startAt": "2030-01-31T08:00:00Z"``, is a word of its own, so that whoever does
not know it starts nothing at once; a payload whose numbers have digits
that Lambda would lose comes as ``{"devbridge": 2, "payloadText": JSON text, ...}``. A `checkpoint`
is a JSON text: what the run is to begin at, as another one has yielded it. The answer is
``{"jobId", "state", ...}`` or ``{"error": {"code", "message"}}``. An invoker never waits for the
job. `result` is `status` with the job's result, which may be large. Of a run that has ended,
`attempt` is 0 when nobody has told which was the last.

A key that the caller's library has generated is for its own retries: it need not be remembered
for longer than those take.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from devbridge.protocol import codec
from devbridge.protocol.errors import Malformed
from devbridge.protocol.messages import (
    REJECT_TOO_LARGE,
    REJECT_UNKNOWN_RUN,
    Accepted,
    Cancelled,
    Rejected,
    Reply,
)
from runner.messages import MAX_KEY
from runner.triggered import MARK

BAD_EVENT: Final = "BadEvent"
TIME: Final = "%Y-%m-%dT%H:%M:%SZ"
"""How events and answers have a time, in UTC."""
_ASCII: Final = sys.version_info < (3, 12)
"""Whether Lambda escapes other characters in answers: its runtimes before Python 3.12 do."""


class Context(Protocol):
    """What is used of Lambda's context."""

    aws_request_id: str
    invoked_function_arn: str

    def get_remaining_time_in_millis(self) -> int:
        """Until Lambda ends the function."""


class Refused(Exception):
    """The caller gets this instead of an answer."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Start:
    """Run the job."""

    payload: bytes
    """A JSON text."""
    key: str | None
    """The caller's idempotency key."""
    remember: bool
    """The user has given that key: it is not only for retries of this call."""
    checkpoint: bytes | None = None
    """A JSON text: what the run is to begin at, the checkpoint of another one."""
    at: datetime | None = None
    """When it is to start; None: now."""
    alone: str = ""
    """The schedule of which no other run may go on; "": that does not matter."""
    scheduled: bool = False
    """It was asked for this time, which has come."""
    held: bool = False
    """Its message stays in its queue until it has succeeded: where nobody can take the run now, it
    is tried again from there."""


@dataclass(frozen=True, slots=True)
class Question:
    """Ask about a run, or cancel it."""

    action: str
    """``cancel``, ``status`` or ``result``."""
    job_id: str


def parse(event: Any) -> Start | Question:
    """What an event asks for.

    Raises:
        Refused: it is not a devbridge event.
    """
    # Who knows only the first version must not take a payload in the second's place for none.
    if not isinstance(event, Mapping) or event.get("devbridge") != 1 + ("payloadText" in event):
        raise Refused(
            BAD_EVENT, 'not a devbridge event: send {"devbridge": 1, "action": "run", ...}'
        )
    action = event.get("action")
    if action in ("run", "schedule"):
        return _start(event, _at(event) if action == "schedule" else None)
    if action not in ("cancel", "status", "result"):
        raise Refused(
            BAD_EVENT,
            f'unknown action {action!r}: use "run", "cancel", "status", "result" or "schedule"',
        )
    job_id = event.get("jobId")
    if not isinstance(job_id, str):
        raise unknown_run(job_id)
    return Question(action, job_id)


def _at(event: Mapping[str, Any]) -> datetime:
    try:
        return datetime.strptime(str(event.get("startAt")), TIME).replace(tzinfo=UTC)
    except ValueError:
        what = "startAt must be a time such as 2030-01-31T08:00:00Z"
        raise Refused(BAD_EVENT, what) from None


def _start(event: Mapping[str, Any], at: datetime | None) -> Start:
    key = event.get("idempotencyKey")
    if key is not None and (not isinstance(key, str) or not 0 < len(key) <= MAX_KEY):
        what = f"idempotencyKey must be a string of 1 to {MAX_KEY} characters"
        raise Refused(BAD_EVENT, what)
    try:
        if "payloadText" in event:
            payload = str(event["payloadText"]).encode("utf-8", "surrogatepass")
            codec.load_json(payload)
        else:
            payload = codec.dump_json(event.get("payload"))
    except (ValueError, Malformed) as error:
        raise Refused(BAD_EVENT, f"the payload is not JSON: {error}") from None
    again = event.get("triggered") is True or event.get("scheduled") is True
    if payload.startswith(MARK) and not again:
        # Who hands on what others have sent must not hand on what they say has started it.
        raise Refused(BAD_EVENT, "the payload's key 'devbridge:trigger' is devbridge's own")
    return Start(
        payload,
        key,
        key is not None and not event.get("generatedKey"),
        _checkpoint(event),
        at,
        scheduled=event.get("scheduled") is True,
    )


def _checkpoint(event: Mapping[str, Any]) -> bytes | None:
    found = event.get("checkpoint")
    if found is None:
        return None
    try:
        text = str(found).encode("utf-8", "surrogatepass")
        codec.load_json(text)
    except (ValueError, Malformed) as error:
        raise Refused(BAD_EVENT, f"the checkpoint is not JSON: {error}") from None
    return text


def answer_of(reply: Reply) -> dict[str, Any]:
    """The answer that a daemon's reply makes.

    Raises:
        Refused: Lambda would not return the result.
    """
    if isinstance(reply, Rejected):
        return error(reply.code, reply.message)
    if isinstance(reply, Accepted):
        return {"jobId": reply.job_id, "state": reply.state, "duplicate": reply.duplicate}
    if isinstance(reply, Cancelled):
        return {"jobId": reply.job_id, "state": reply.state, "was": reply.was}
    answer: dict[str, Any] = {
        "jobId": reply.job_id,
        "job": reply.job,
        "state": reply.state,
        "attempt": reply.attempt,
        "maxAttempts": reply.max_attempts,
    }
    if reply.error_type is not None:
        more = codec.load_json(reply.error.encode()) if reply.error else {}
        own = {"type": reply.error_type, "message": reply.error_message or ""}
        answer["failure"] = {**more, **own}
    return answer if reply.result is None else with_result(answer, reply.result)


def with_result(answer: dict[str, Any], result: bytes) -> dict[str, Any]:
    """An answer with the job's result, a JSON text.

    Raises:
        Refused: Lambda, which writes answers with blanks after commas, would not return it.
    """
    size = len(result)
    if size <= codec.MAX_BODY:
        whole = {**answer, "result": codec.load_json(result)}
        written = json.dumps(whole, ensure_ascii=_ASCII).encode("utf-8", "surrogatepass")
        size = len(written)
        if size <= codec.MAX_BODY:
            return whole
    raise Refused(
        REJECT_TOO_LARGE,
        f"the result has {size:,} bytes as AWS Lambda encodes it, more than it"
        " returns: put it in S3 and return the key",
    )


def unknown_run(job_id: object) -> Refused:
    """What is raised for an id that cannot be one of a run, so that nobody need be asked."""
    return Refused(REJECT_UNKNOWN_RUN, f"{job_id!r} is not the id of a run")


def error(code: str, message: str) -> dict[str, Any]:
    """An answer that refuses."""
    return {"error": {"code": code, "message": message}}
