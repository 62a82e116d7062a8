"""The Lambda handler of a job's invoker while `devbridge dev` runs the stage: the stub.

It waits for the daemon to have a run in its ledger, never for the job. See `stub_lambda.events`.
"""

from __future__ import annotations

import time
from typing import Any, Final

from devbridge.errors import DevbridgeError
from devbridge.protocol import codec
from devbridge.protocol.errors import TooLarge
from devbridge.protocol.messages import (
    REJECT_TOO_LARGE,
    Accepted,
    Cancel,
    Cancelled,
    Rejected,
    Reply,
    Request,
    Run,
    Status,
)
from stub_lambda import events
from stub_lambda.bridge import Answer, Bridge, Silence
from stub_lambda.events import Question, Refused, Start
from stub_lambda.settings import OFFLINE_CLOUD, OFFLINE_QUEUE, Settings

NO_DAEMON: Final = "NoDaemon"
OFFLINE: Final = "Offline"
NO_ANSWER: Final = "NoAnswer"
_WAIT: Final = 8.0
"""Seconds that a caller waits for the daemon; the function itself has 10."""
_MARGIN: Final = 1.0
"""Seconds that are left to the function for answering."""

_bridge: Bridge | None = None


def handler(event: Any, context: events.Context) -> dict[str, Any]:
    """Lambda's entry. Errors that the caller can act on are answers, not exceptions."""
    global _bridge  # noqa: PLW0603  (what Lambda keeps between invocations lives in the module)
    try:
        settings = Settings.from_environment()
        if _bridge is None or _bridge.settings != settings:
            _bridge = Bridge(settings)
        return _answer(_bridge, event, context)
    except Refused as error:
        return events.error(error.code, str(error))
    except TooLarge as error:
        return events.error(REJECT_TOO_LARGE, f"{error}: put it in S3 and send the key")
    except DevbridgeError as error:
        return events.error(type(error).__name__, str(error))


def _answer(bridge: Bridge, event: Any, context: events.Context) -> dict[str, Any]:
    settings, asked = bridge.settings, events.parse(event)
    if isinstance(asked, Question) and not codec.is_id(asked.job_id):
        return _ask_codebuild(settings, asked)
    request = _request(asked, context, settings, bridge.stub_id)
    wait = min(_WAIT, context.get_remaining_time_in_millis() / 1000 - _MARGIN)
    answer = bridge.ask(request, wait)
    if isinstance(answer, Answer):
        return _reply(answer.reply)
    where = f"{settings.app} (stage {settings.stage})"
    if answer.silence is Silence.NEVER_CONNECTED:
        raise Refused(
            NO_DAEMON, f"no devbridge is connected to {where}: start `devbridge dev` there"
        )
    who = f"devbridge of {answer.who}" if answer.who else "devbridge"
    if isinstance(asked, Start) and isinstance(request, Run):
        if settings.offline == OFFLINE_QUEUE and answer.stored:
            return {"jobId": request.job_id, "state": "QUEUED", "duplicate": False}
        if settings.offline == OFFLINE_CLOUD and answer.silence is Silence.OFFLINE:
            return _start_in_the_cloud(settings, asked, context.aws_request_id)
    if answer.silence is Silence.OFFLINE:
        raise Refused(OFFLINE, f"{who} is not running for {where}: start `devbridge dev` there")
    # It may have got the request, which nobody can take back: no build may run it, too.
    maybe = ", and the run may start when it wakes up" if isinstance(request, Run) else ""
    raise Refused(
        NO_ANSWER, f"{who} did not answer for {where} in {wait:g} s: is it suspended{maybe}?"
    )


def _reply(reply: Reply) -> dict[str, Any]:
    if isinstance(reply, Rejected):
        return events.error(reply.code, reply.message)
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
        answer["failure"] = {"type": reply.error_type, "message": reply.error_message or ""}
    return answer if reply.result is None else events.with_result(answer, reply.result)


def _request(
    asked: Start | Question, context: events.Context, settings: Settings, stub_id: str
) -> Request:
    ids: dict[str, Any] = {"request_id": codec.new_id(), "stub_id": stub_id, "sent_at": time.time()}
    job = settings.job
    if isinstance(asked, Start):
        key = asked.key or context.aws_request_id
        job_id = codec.job_id(settings.app, settings.stage, job, key)
        return Run(**ids, job=job, job_id=job_id, payload=asked.payload, idempotency_key=asked.key)
    if asked.action == "cancel":
        return Cancel(**ids, job_id=asked.job_id, job=job)
    return Status(**ids, job_id=asked.job_id, job=job, with_result=asked.action == "result")


def _ask_codebuild(settings: Settings, question: Question) -> dict[str, Any]:
    """Answer for a run that is a build: the offline policy `cloud` has started it."""
    if settings.project is None or ":" not in question.job_id:
        raise events.unknown_run(question.job_id)
    from stub_lambda import deployed

    builds = deployed.builds_of(settings.app, settings.stage, settings.job, settings.project)
    return deployed.ask(builds, question)


def _start_in_the_cloud(settings: Settings, start: Start, request_id: str) -> dict[str, Any]:
    if settings.project is None:
        raise Refused(
            "NotDeployed",
            f"the job {settings.job} of {settings.app} is not deployed, so that it cannot run in"
            " the cloud while devbridge is offline: run `devbridge deploy`",
        )
    from stub_lambda import deployed

    builds = deployed.builds_of(settings.app, settings.stage, settings.job, settings.project)
    return deployed.start(builds, start, request_id)
