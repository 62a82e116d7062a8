"""The Lambda handler of a job's invoker while `devbridge dev` runs the stage.

The event is ``{"devbridge": 1, "action": "run" | "cancel" | "status" | "result", "payload": any,
"jobId": text, "idempotencyKey": text}``, the answer ``{"jobId", "state", ...}`` or ``{"error":
{"code", "message"}}``. It never waits for the job, only for the daemon to have it in its ledger.
`result` is `status` with the job's result, which may be large.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final, Protocol

from devbridge.errors import DevbridgeError
from devbridge.protocol import codec
from devbridge.protocol.errors import TooLarge
from devbridge.protocol.messages import (
    REJECT_TOO_LARGE,
    REJECT_UNKNOWN_RUN,
    Accepted,
    Cancel,
    Cancelled,
    Rejected,
    Reply,
    Request,
    Run,
    Status,
)
from stub_lambda.bridge import Answer, Bridge, Silence
from stub_lambda.settings import OFFLINE_CLOUD, OFFLINE_QUEUE, Settings

BAD_EVENT: Final = "BadEvent"
NO_DAEMON: Final = "NoDaemon"
OFFLINE: Final = "Offline"
NO_ANSWER: Final = "NoAnswer"
_VERSION: Final = 1
_WAIT: Final = 8.0
"""Seconds that a caller waits for the daemon; the function itself has 10."""
_MARGIN: Final = 1.0
"""Seconds that are left to the function for answering."""

_bridge: Bridge | None = None


class Context(Protocol):
    """What is used of Lambda's context."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int:
        """Until Lambda ends the function."""


class _Refused(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def handler(event: Any, context: Context) -> dict[str, Any]:
    """Lambda's entry. Errors that the caller can act on are answers, not exceptions."""
    global _bridge  # noqa: PLW0603  (what Lambda keeps between invocations lives in the module)
    try:
        settings = Settings.from_environment()
        if _bridge is None or _bridge.settings != settings:
            _bridge = Bridge(settings)
        return _answer(_bridge, event, context)
    except _Refused as error:
        return _error(error.code, str(error))
    except TooLarge as error:
        return _error(REJECT_TOO_LARGE, f"{error}: put it in S3 and send the key")
    except DevbridgeError as error:
        return _error(type(error).__name__, str(error))


def _error(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


def _answer(bridge: Bridge, event: Any, context: Context) -> dict[str, Any]:
    settings = bridge.settings
    request = _request(event, context, settings, bridge.stub_id)
    wait = min(_WAIT, context.get_remaining_time_in_millis() / 1000 - _MARGIN)
    answer = bridge.ask(request, wait)
    if isinstance(answer, Answer):
        return _reply(answer.reply)
    where = f"{settings.app} (stage {settings.stage})"
    if answer.silence is Silence.NEVER_CONNECTED:
        raise _Refused(
            NO_DAEMON, f"no devbridge is connected to {where}: start `devbridge dev` there"
        )
    who = f"devbridge of {answer.who}" if answer.who else "devbridge"
    if isinstance(request, Run):
        if settings.offline == OFFLINE_QUEUE and answer.stored:
            return {"jobId": request.job_id, "state": "QUEUED", "duplicate": False}
        if settings.offline == OFFLINE_CLOUD and answer.silence is Silence.OFFLINE:
            return _start_in_the_cloud(settings, request)
    if answer.silence is Silence.OFFLINE:
        raise _Refused(OFFLINE, f"{who} is not running for {where}: start `devbridge dev` there")
    # It may have got the request, which nobody can take back: no build may run it, too.
    maybe = ", and the run may start when it wakes up" if isinstance(request, Run) else ""
    raise _Refused(
        NO_ANSWER, f"{who} did not answer for {where} in {wait:g} s: is it suspended{maybe}?"
    )


def _reply(reply: Reply) -> dict[str, Any]:
    if isinstance(reply, Rejected):
        return _error(reply.code, reply.message)
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
    if reply.result is not None:
        answer["result"] = codec.load_json(reply.result)
    if reply.error_type is not None:
        answer["failure"] = {"type": reply.error_type, "message": reply.error_message or ""}
    return answer


def _request(event: Any, context: Context, settings: Settings, stub_id: str) -> Request:
    if not isinstance(event, Mapping) or event.get("devbridge") != _VERSION:
        raise _Refused(
            BAD_EVENT, 'not an event of devbridge: send {"devbridge": 1, "action": "run", ...}'
        )
    ids: dict[str, Any] = {"request_id": codec.new_id(), "stub_id": stub_id, "sent_at": time.time()}
    action = event.get("action")
    if action == "run":
        key = event.get("idempotencyKey")
        if key is not None and (not isinstance(key, str) or not 0 < len(key) <= 1024):
            raise _Refused(BAD_EVENT, "the idempotencyKey is not a text of 1 to 1024 characters")
        try:
            payload = codec.dump_json(event.get("payload"))
        except ValueError as error:
            raise _Refused(BAD_EVENT, f"the payload is not JSON: {error}") from None
        return Run(
            **ids,
            job=settings.job,
            job_id=codec.job_id(
                settings.app, settings.stage, settings.job, key or context.aws_request_id
            ),
            payload=payload,
            idempotency_key=key,
        )
    if action not in ("cancel", "status", "result"):
        raise _Refused(
            BAD_EVENT, f'unknown action {action!r}: use "run", "cancel", "status" or "result"'
        )
    job_id = event.get("jobId")
    if not isinstance(job_id, str) or not codec.is_id(job_id):
        raise _Refused(REJECT_UNKNOWN_RUN, f"{job_id!r} is not the id of a run")
    if action == "cancel":
        return Cancel(**ids, job_id=job_id, job=settings.job)
    return Status(**ids, job_id=job_id, job=settings.job, with_result=action == "result")


def _start_in_the_cloud(settings: Settings, run: Run) -> dict[str, Any]:
    from stub_lambda import cloud  # noqa: PLC0415  (boto3 takes 300 ms to import)

    if not settings.project:
        raise _Refused(
            "NotDeployed",
            f"the job {run.job} of {settings.app} is not deployed, so that it cannot run in the"
            " cloud while devbridge is offline: run `devbridge deploy`",
        )
    return {"jobId": cloud.start_build(settings, run), "state": "QUEUED", "duplicate": False}
