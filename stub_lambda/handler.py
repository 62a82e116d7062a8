"""The Lambda handler of a job's invoker while `devbridge dev` runs the stage: the stub.

It waits for the daemon to have a run in its ledger, never for the job. See `stub_lambda.events`.
"""

from __future__ import annotations

import time
from typing import Any, Final

from devbridge.protocol import codec
from devbridge.protocol.ids import is_id
from devbridge.protocol.messages import Cancel, Request, Run, Status
from runner.triggered import MARK
from stub_lambda import events, invoker
from stub_lambda.bridge import Answer, Bridge, NoAnswer, Silence
from stub_lambda.events import Context, Question, Refused, Start
from stub_lambda.invoker import Invoker
from stub_lambda.settings import OFFLINE_CLOUD, Settings

NO_DAEMON: Final = "NoDaemon"
OFFLINE: Final = "Offline"
NO_ANSWER: Final = "NoAnswer"
NOT_DEPLOYED: Final = "NotDeployed"
_WAIT: Final = 8.0
"""Seconds that a caller waits for the daemon; the function itself has 10."""
_ENOUGH: Final = 4.0
"""Seconds after which it is enough that the broker keeps the run of a record: nobody waits for the
answer, and the other records of its batch are to be started in the same time."""
_MARGIN: Final = 1.0
"""Seconds that are left to the function for answering."""

_bridge: Bridge | None = None


def handler(event: Any, context: Context) -> Any:
    """Lambda's entry."""
    return invoker.answer(_live, event, context)


def _live() -> Live:
    """What Lambda keeps between invocations lives in the module: the connection."""
    global _bridge  # noqa: PLW0603
    settings = Settings.from_environment()
    if _bridge is None or _bridge.settings != settings:
        _bridge = Bridge(settings)
    return Live(_bridge, settings)


class Live:
    """`Invoker` of a job that the daemon runs. Where the stage's policy is `cloud`, a run that
    finds no daemon is the deployed invoker's; its id says so."""

    def __init__(self, bridge: Bridge, settings: Settings) -> None:
        self._bridge = bridge
        self._settings = settings
        self._where = f"{settings.app} (stage {settings.stage})"

    @property
    def job(self) -> str:
        """See `Invoker.job`."""
        return self._settings.job

    def run_id(self, key: str) -> str:
        """See `Invoker.run_id`."""
        settings = self._settings
        return codec.job_id(settings.app, settings.stage, settings.job, key)

    def start(self, start: Start, context: Context) -> dict[str, Any]:
        """See `Invoker.start`."""
        settings = self._settings
        key = start.key or context.aws_request_id
        run = Run(
            **self._ids(),
            job=settings.job,
            job_id=self.run_id(key),
            payload=start.payload,
            idempotency_key=start.key,
            checkpoint=start.checkpoint,
            alone=start.alone or None,
        )
        wait = _wait(context)
        enough = _ENOUGH if start.payload.startswith(MARK) else None
        answer = self._bridge.ask(run, wait, enough)
        if isinstance(answer, Answer):
            return events.answer_of(answer.reply)
        if start.held:
            raise self._refusal(answer, wait)
        if answer.stored:
            return {"jobId": run.job_id, "state": "QUEUED", "duplicate": False}
        # Only a daemon that has gone has surely not got the run: no build may run it, too.
        if answer.silence is Silence.OFFLINE and settings.offline == OFFLINE_CLOUD:
            return self._deployed().start(start, context)
        raise self._refusal(answer, wait, ", and the run may start when it wakes up")

    def ask(self, question: Question, context: Context) -> dict[str, Any]:
        """See `Invoker.ask`."""
        if not is_id(question.job_id):
            return self._ask_deployed(question, context)
        wait = _wait(context)
        answer = self._bridge.ask(self._request(question), wait)
        if isinstance(answer, Answer):
            return events.answer_of(answer.reply)
        if answer.stored:  # a cancellation, of a run that nobody knows more of now
            return {"jobId": question.job_id, "was": "QUEUED", "state": "QUEUED", "waits": True}
        raise self._refusal(answer, wait)

    def _request(self, question: Question) -> Request:
        job = self._settings.job
        if question.action == "cancel":
            return Cancel(**self._ids(), job_id=question.job_id, job=job)
        with_result = question.action == "result"
        return Status(**self._ids(), job_id=question.job_id, job=job, with_result=with_result)

    def _ids(self) -> dict[str, Any]:
        stub_id = self._bridge.stub_id
        return {"request_id": codec.new_id(), "stub_id": stub_id, "sent_at": time.time()}

    def _refusal(self, answer: NoAnswer, wait: float, maybe: str = "") -> Refused:
        """`maybe`: what may still become of a request that the daemon may have."""
        who = f"devbridge of {answer.who}" if answer.who else "devbridge"
        where, start = self._where, "start `devbridge dev` there"
        if answer.silence is Silence.NEVER_CONNECTED:
            return Refused(NO_DAEMON, f"no devbridge is connected to {where}: {start}")
        if answer.silence is Silence.OFFLINE:
            return Refused(OFFLINE, f"{who} is not running for {where}: {start}")
        what = f"{who} did not answer for {where} in {wait:g} s: is it suspended{maybe}?"
        return Refused(NO_ANSWER, what)

    def _ask_deployed(self, question: Question, context: Context) -> dict[str, Any]:
        if self._settings.placement is None:
            raise events.unknown_run(question.job_id)
        return self._deployed().ask(question, context)

    def _deployed(self) -> Invoker:
        """
        Raises:
            Refused: there is none.
        """
        settings = self._settings
        if settings.placement is None:
            raise Refused(
                NOT_DEPLOYED,
                f"the job {settings.job} of {settings.app} is not deployed, so it cannot run in"
                " the cloud while devbridge is offline: run `devbridge deploy`",
            )
        from stub_lambda.deployed import Deployed  # few stubs need it

        return Deployed.of(settings.app, settings.stage, settings.job, settings.placement)


def _wait(context: Context) -> float:
    return min(_WAIT, context.get_remaining_time_in_millis() / 1000 - _MARGIN)
