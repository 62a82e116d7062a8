"""``python3 runner run``: one run of a job, or as much of it as is to happen here.

What to run comes from the environment of what was deployed (DEVBRIDGE_JOB_NAME, DEVBRIDGE_HANDLER,
DEVBRIDGE_TIMEOUT, DEVBRIDGE_ATTEMPTS, DEVBRIDGE_RETRY_DELAY, DEVBRIDGE_MEMORY_MB, DEVBRIDGE_BUCKET,
DEVBRIDGE_KEY, DEVBRIDGE_INLINE), which run and its payload from what was started: DEVBRIDGE_RUN_ID,
and DEVBRIDGE_PAYLOAD or DEVBRIDGE_PAYLOAD_KEY; with neither the payload is null.

How it ended is told to whoever asks, as its `Host` does it; as the last line of the output,
``{"devbridge": {...}}``; and by the exit code: 0, 1, or 75 when it is to go on elsewhere.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import replace

from runner import attempt, aws, documents, languages, outcome
from runner.attempt import Inbox
from runner.aws import Conflict
from runner.dead_letters import dead_letters
from runner.host import secrets
from runner.host.base import Host
from runner.host.lines import Lines
from runner.host.settings import Settings
from runner.host.store import Store
from runner.host.told import Told, mark
from runner.invocation import Invocation
from runner.outcome import CANCELLED, FAILED, INTERRUPTED, SUCCEEDED, TIMED_OUT, End, Failure
from runner.runtime_api import RuntimeApi
from runner.signed import AwsError
from runner.triggered import triggered

GOES_ON = 75
"""The exit code of a run that was interrupted: EX_TEMPFAIL."""
MAX_ERROR = 4 * 1024
"""Bytes of an error in the log's last line."""
_TERMINATED = Failure("Terminated", "the run was told to stop by SIGTERM")
_CANCELLED = Failure("Cancelled", "the run was cancelled")
_OUT_OF_TIME = Failure(
    "OutOfTime",
    "the time of one invocation was over before the handler had ended, or yielded a checkpoint",
)
_OWN = ("DEVBRIDGE_PAYLOAD", "DEVBRIDGE_PAYLOAD_KEY", "DEVBRIDGE_SECRETS", "DEVBRIDGE_ONCE")
"""Variables that a worker does not get."""


class Run:
    """The run, as far as it happens here."""

    def __init__(
        self,
        settings: Settings,
        host: Host,
        inbox: Inbox,
        lines: Lines,
        *,
        api: RuntimeApi | None = None,
    ) -> None:
        """`api` serves the workers; by default one of its own, for as long as the process lives."""
        self._settings = settings
        self._host = host
        self._inbox = inbox
        self._lines = lines
        self._api = api
        self._store = Store(settings)
        self._told = Told()
        self._over = False
        """It has ended before: nothing is left to do."""
        self._checkpoint: bytes | None = None
        self._stored = True
        """S3 has this one."""
        self._first = ""
        """The checkpoint that the run was found at, as `mark` writes it."""
        self._given: bytes | None = None
        """What it was started with."""
        self._here = 0
        """How many attempts have begun here."""
        self.given_up = False
        """It was a message that is in the dead-letter queue now."""

    def go(self, environment: Mapping[str, str]) -> End:
        """Run the job; how it ended, or that it is INTERRUPTED, to go on elsewhere."""
        try:
            try:
                self._recall()
            finally:
                self._invoke()
            if self._over:
                return End(self._told.state)
            if stuck := self._told.stuck():
                return stuck
            payload = self._given = self._store.payload()
            own = secrets.fetch(self._settings.secrets)
            if isinstance(own, Failure):
                return self._harmless(own)
            end = self._attempts(payload, {**self._worker_environment(environment), **own})
            if end.state == INTERRUPTED:
                return self._handed_over(end)
            self._told = replace(self._told, result=self._store.result(end))
            return end
        except AwsError as error:
            return self._harmless(Failure(type(error).__name__, str(error)))

    def _harmless(self, failure: Failure) -> End:
        """It ends for a reason that says nothing of the payload."""
        self._told = replace(self._told, secret=False)
        return End(FAILED, failure=failure, final=True)

    # --- before the handler -----------------------------------------------------------------

    def _recall(self) -> None:
        """Learn how far the run has come on other machines.

        Raises:
            AwsError: that cannot be read.
        """
        earlier = self._host.earlier()
        self._over = earlier is not None and earlier.ended
        self._told = earlier or self._told
        if self._over:
            return
        self._checkpoint = self._store.checkpoint()
        self._first = mark(self._checkpoint)
        if earlier is not None and self._host.interruptible and not earlier.handed:
            self._told = earlier.interrupted(self._checkpoint)  # it died without a word

    def _worker_environment(self, environment: Mapping[str, str]) -> dict[str, str]:
        """The worker's environment: this one's, and what the laptop's workers have, too."""
        settings, packages = self._settings, self._host.packages
        own = {key: value for key, value in environment.items() if key not in _OWN}
        if packages and not languages.is_node(environment):
            # So the handler's own child processes find them, too.
            paths = (environment.get("PYTHONPATH"), packages)
            own["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        return {
            **own,
            "AWS_LAMBDA_FUNCTION_NAME": settings.job,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": environment.get("DEVBRIDGE_MEMORY_MB", ""),
            **self._host.variables(),
            "_HANDLER": settings.handler,
            "LAMBDA_TASK_ROOT": self._host.root,
        }

    # --- the handler ------------------------------------------------------------------------

    def _attempts(self, payload: bytes, environment: Mapping[str, str]) -> End:
        """Run the handler until it succeeds, has had all its attempts, or is to go on elsewhere.

        Raises:
            AwsError: nobody can be told.
        """
        api, settings = self._api or RuntimeApi(), self._settings
        if problem := languages.problem(environment):
            return End(FAILED, failure=problem, final=True)
        if languages.is_node(environment):
            languages.link_packages(self._host.root, self._host.packages)
            if remark := languages.remark(environment):
                self._lines.note(remark)
        if (delay := self._told.not_before - time.time()) > 0 and not self._paused(delay):
            return End(INTERRUPTED)
        while True:
            if self._inbox.terminated:
                return End(INTERRUPTED if self._host.interruptible else CANCELLED)
            end = self._attempt(api, payload, environment)
            self._lines.trace(end.failure)
            if settings.once or not end.again(self._told.attempt, settings.attempts):
                return end
            delay = outcome.retry_delay(settings.retry_delay, self._told.attempt)
            self._lines.say("Again", f"{outcome.summary(end)}, again in {delay:g} s")
            self._told = replace(
                self._told,
                attempt=self._told.attempt + 1,
                spent=0.0,
                not_before=time.time() + delay,
            )
            if not self._paused(delay):
                return End(INTERRUPTED)
            if not self._inbox.terminated:
                self._invoke()

    def _attempt(self, api: RuntimeApi, payload: bytes, environment: Mapping[str, str]) -> End:
        host, settings = self._host, self._settings
        window = host.window(settings.timeout, self._told.spent)
        self._told = self._told.running(time.time(), host.logs())
        host.tell(self._told)
        self._here += 1
        end = attempt.run(
            api,
            self._invocation(payload),
            environment,
            root=host.root,
            inbox=self._inbox,
            output=self._lines.output,
            timeout=window.timeout,
            grace=host.grace,
            checkpoint=self._checkpoint,
            keep=self._keep,
            stop_at=window.stop_at,
            interruptible=host.interruptible,
        )
        self._told = replace(self._told, spent=self._told.spent + end.took)
        if end.state == TIMED_OUT and window.cut:
            return replace(end, failure=_OUT_OF_TIME)
        if end.state == INTERRUPTED and host.cancelled:
            return replace(end, state=CANCELLED)
        return end

    def _invocation(self, payload: bytes) -> Invocation:
        """The deadline is set when a worker gets the payload."""
        custom = {
            "job": self._settings.job,
            "attempt": str(self._told.attempt),
            "max_attempts": str(self._settings.attempts),
        }
        return Invocation(self._settings.run_id, payload, 0.0, self._host.arn, custom)

    def _keep(self, checkpoint: bytes) -> None:
        self._checkpoint, self._stored = checkpoint, not self._settings.bucket
        if self._settings.bucket:
            self._store.keep(checkpoint)
            self._stored = True

    def _paused(self, delay: float) -> bool:
        """Wait before an attempt; whether that is to be here."""
        pause = self._host.pause(self._settings.timeout, delay)
        self._inbox.pause(pause.seconds)
        return pause.here or self._inbox.terminated

    # --- what is told -----------------------------------------------------------------------

    def _handed_over(self, end: End) -> End:
        """Have the run go on elsewhere, if it may; else how it ends.

        Raises:
            AwsError: it does not, because nobody can be told.
        """
        try:
            last = self._hand_over(end)
        except AwsError as error:
            if not self._host.interruptible:
                raise
            self._lines.warn(f"how far the run has come is not stored: {error}")
            return end  # the next machine takes this one for dead
        if last is not None:
            return last
        self._lines.say("Again", f"{outcome.summary(end)}, goes on elsewhere")
        return end

    def _hand_over(self, end: End) -> End | None:
        if not self._stored and self._checkpoint is not None:
            self._keep(self._checkpoint)
        if self._host.interruptible:
            self._told = self._told.interrupted(self._checkpoint)
            if stuck := self._told.stuck():
                return replace(stuck, took=end.took)
        # Attempts that began in between have come as far as their time allowed.
        whole = self._here == 1 and end.took > 0
        progress = mark(self._checkpoint) != self._first if whole else None
        last = self._host.hand_over(replace(self._told, handed=True), progress=progress)
        return last and replace(last, took=end.took)

    def close(self, end: End) -> int:
        """Tell how the run has ended: whoever asks, people, and programs. The exit code."""
        if end.state == INTERRUPTED:
            return GOES_ON
        code = 0 if end.state == SUCCEEDED else 1
        if self._over:
            self._lines.say("Again", f"nothing is left to do: it was {end.state} before")
            return code
        failure = end.failure
        if failure is None and end.state == CANCELLED:
            failure = _CANCELLED if self._host.cancelled else _TERMINATED
        self._told = told = replace(
            self._told, state=end.state, failure=failure, ended_at=time.time(), handed=False
        )
        self._give_up(end)
        if self._last_told(told):
            try:
                self._store.forget_payload()
            except AwsError as error:
                self._lines.warn(f"the payload is left in S3 for some days: {error}")
        self._lines.done(end, last_line(told))
        return code

    def _give_up(self, end: End) -> None:
        """What has failed for good and was a message, is one again, in the dead-letter queue."""
        if self._given is None or (found := triggered(self._given)) is None:
            return
        told = self._told
        letters = dead_letters(found, self._settings.run_id, end.state, told.failure, told.attempt)
        for letter in letters:
            try:
                aws.send_message(letter.queue, letter.parameters())
            except AwsError as error:
                self._lines.warn(f"its message is not in the dead-letter queue: {error}")
                return
            else:
                self._lines.say("Gave up", f"its message is in {letter.queue.rpartition(':')[2]}")
        self.given_up = bool(letters)

    def _last_told(self, told: Told) -> bool:
        """Tell whoever asks; False: the run goes on elsewhere all the same, and needs its payload
        there."""
        try:
            self._host.tell(told)
        except AwsError as error:
            self._lines.warn(f"how the run has ended is only in this log: {error}")
            return not isinstance(error, Conflict)
        return True

    def _invoke(self) -> None:
        self._lines.invoke(self._settings.job, self._told.attempt, self._settings.attempts)
        if self._checkpoint is not None and not self._over:
            self._lines.say("Goes on", "at its checkpoint")


def last_line(told: Told) -> str:
    """How a run has ended, for programs that read its log."""
    text = f'"state": "{told.state}", "attempt": {told.attempt}'
    if (result := told.result) is not None:
        text += f', "result": {json.dumps(result) if result[0] == "@" else result}'
    if told.failure is not None:
        # The log has the traceback anyway.
        text += f', "error": {documents.text(told.failure, MAX_ERROR)}'
    return f'{{"devbridge": {{{text}}}}}'
