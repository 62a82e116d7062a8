"""``python3 runner build``: one run of a job, in a build of AWS CodeBuild.

What to run comes from the project's environment (DEVBRIDGE_JOB_NAME, DEVBRIDGE_HANDLER,
DEVBRIDGE_TIMEOUT, DEVBRIDGE_ATTEMPTS, DEVBRIDGE_RETRY_DELAY, DEVBRIDGE_CONCURRENCY,
DEVBRIDGE_MEMORY_MB, DEVBRIDGE_BUCKET, DEVBRIDGE_KEY, DEVBRIDGE_INLINE), the payload from the
build's: DEVBRIDGE_PAYLOAD, or DEVBRIDGE_PAYLOAD_KEY when it is in S3; with neither it is null.

How it ended is told thrice: as ``export`` lines in ``.devbridge-exports``, which the build's last
phase reads (DEVBRIDGE_STATE, DEVBRIDGE_RESULT, DEVBRIDGE_ERROR, DEVBRIDGE_ATTEMPT, and
DEVBRIDGE_STARTED: when the first attempt began, in seconds since the epoch); as the last line of
the output, ``{"devbridge": {...}}``; and by the exit code, 0 or 1.

CodeBuild shows a build's environment and exported variables for a year to all who may read builds.
Unless DEVBRIDGE_INLINE is set, what a run returns and what its error says is therefore put into S3,
and the variables say where: ``@KEY``, ``{"type": ..., "at": KEY}``.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass

from runner import attempt, aws, concurrency, documents, languages, outcome, process
from runner.attempt import Inbox, Output
from runner.invocation import Invocation
from runner.outcome import CANCELLED, FAILED, SUCCEEDED, End, Failure
from runner.runtime_api import RuntimeApi

EXPORTS = ".devbridge-exports"
MAX_INLINE = 4 * 1024
"""Bytes of a result that a variable holds. A larger one is put into S3."""
MAX_ERROR = 4 * 1024
"""Bytes of an error that a variable and the log's last line hold."""
MAX_TYPE = 1024
"""Bytes of the name of an error's class."""
MAX_STORED_ERROR = 64 * 1024
"""Bytes of an error in S3."""
GRACE = 30.0
"""Seconds between SIGTERM and SIGKILL."""
FIRST_POLL = 0.5
LONGEST_POLL = 5.0
"""Seconds between two looks at whether it is this run's turn."""
PACKAGES = "CODEBUILD_SRC_DIR_packages"
"""The variable with the folder of the project's source "packages": what the job imports."""
_TERMINATED = Failure("Terminated", "the run was told to stop by SIGTERM")
_PAYLOAD = ("DEVBRIDGE_PAYLOAD", "DEVBRIDGE_PAYLOAD_KEY")


@dataclass(frozen=True)
class Settings:
    """What the build's environment says."""

    app: str
    stage: str
    job: str
    handler: str
    timeout: float
    """Seconds that one attempt may take."""
    attempts: int
    retry_delay: float
    """Seconds before the second attempt; it doubles with each further one."""
    concurrency: int
    """Runs of the job at the same time, at most; 0: any number."""
    bucket: str
    inline: bool
    """Results and messages may be in the build's variables, if they are small."""
    key: str
    """The KMS key for what is put into S3; "" for the bucket's own."""
    build_id: str
    build_arn: str
    root: str
    grace: float

    @staticmethod
    def read(environment: Mapping[str, str]) -> Settings:
        """What the build's environment says.

        Raises:
            KeyError: it has neither a job's name nor a handler.
        """

        def number(name: str, default: float) -> float:
            return float(environment.get(name) or default)

        return Settings(
            app=environment.get("DEVBRIDGE_APP", ""),
            stage=environment.get("DEVBRIDGE_STAGE", ""),
            job=environment["DEVBRIDGE_JOB_NAME"],
            handler=environment["DEVBRIDGE_HANDLER"],
            timeout=number("DEVBRIDGE_TIMEOUT", 8 * 3600),
            attempts=int(number("DEVBRIDGE_ATTEMPTS", 1)),
            retry_delay=number("DEVBRIDGE_RETRY_DELAY", 1),
            concurrency=int(number("DEVBRIDGE_CONCURRENCY", 0)),
            bucket=environment.get("DEVBRIDGE_BUCKET", ""),
            inline=bool(environment.get("DEVBRIDGE_INLINE")),
            key=environment.get("DEVBRIDGE_KEY", ""),
            build_id=environment.get("CODEBUILD_BUILD_ID", "local:0"),
            build_arn=environment.get("CODEBUILD_BUILD_ARN", ""),
            root=os.path.abspath(environment.get("CODEBUILD_SRC_DIR") or os.getcwd()),
            grace=number("DEVBRIDGE_GRACE", GRACE),
        )

    @property
    def project(self) -> str:
        """The name of the CodeBuild project, which a build's id begins with."""
        return self.build_id.partition(":")[0]

    @property
    def result_key(self) -> str:
        """The S3 key of this run's result."""
        return self._key("json")

    @property
    def error_key(self) -> str:
        """The S3 key of what this run's error says."""
        return self._key("error.json")

    def _key(self, suffix: str) -> str:
        place = f"results/{self.app}/{self.stage}/{self.job}"
        return f"{place}/{self.build_id.partition(':')[2]}.{suffix}"


def main() -> int:
    """Run the job as the environment says; the process's exit code."""
    settings, inbox = Settings.read(os.environ), Inbox()
    inbox.listen()
    process.adopt_orphans()
    build = Build(settings, inbox, Output())
    try:
        end, result = build.run(os.environ)
    finally:
        if sys.platform == "linux":
            process.kill_children()
    build.tell(end, result)
    return 0 if end.state == SUCCEEDED else 1


class Build:
    """The run. Every line of its own begins with ``|  ``, and names the build's id."""

    def __init__(self, settings: Settings, inbox: Inbox, output: Output) -> None:
        self._settings = settings
        self._inbox = inbox
        self._output = output
        self._inline = settings.inline
        self._attempt = 1
        self._started: float | None = None

    def run(self, environment: Mapping[str, str]) -> tuple[End, str | None]:
        """Run the job; how it ended, and its result as `stored` has it."""
        self._invoke()
        try:
            payload = self._payload(environment)
            self._wait_for_turn()
            end = self._attempts(payload, worker_environment(self._settings, environment))
            return end, stored(self._settings, end)
        except aws.AwsError as error:
            self._inline = True  # It says nothing of the payload.
            return End(FAILED, failure=Failure(type(error).__name__, str(error))), None

    # --- before the handler -----------------------------------------------------------------

    def _payload(self, environment: Mapping[str, str]) -> bytes:
        """The payload, a JSON text. What is in S3 is deleted there once it was read.

        Raises:
            AwsError: it cannot be read.
        """
        key, bucket = environment.get("DEVBRIDGE_PAYLOAD_KEY"), self._settings.bucket
        if not key:
            return os.fsencode(environment.get("DEVBRIDGE_PAYLOAD", "null"))
        payload = aws.get_object(bucket, key)
        try:
            aws.delete_object(bucket, key)
        except aws.AwsError as error:
            self._say("Warning", f"the payload is left in S3 for some days: {error}")
        return payload

    def _wait_for_turn(self) -> None:
        """Return when it is this run's turn, or the build is to stop.

        Raises:
            AwsError: CodeBuild refuses to tell.
        """
        limit, said, pause = self._settings.concurrency, "", FIRST_POLL
        while limit:
            try:
                ahead = concurrency.ahead(_running(self._settings), self._settings.build_id)
                runs = "run is" if ahead == 1 else "runs are"
                why = f"{ahead} {runs} ahead, {limit} may run at the same time"
            except aws.Unavailable as error:
                ahead, why = limit, str(error)
            if ahead < limit:
                return
            if why != said:
                self._say("Waiting", why)
                said = why
            if not self._inbox.pause(pause):
                return
            pause = min(LONGEST_POLL, pause * 1.5)

    # --- the handler ------------------------------------------------------------------------

    def _attempts(self, payload: bytes, environment: Mapping[str, str]) -> End:
        """Run the handler until it succeeds or has had all its attempts."""
        api, settings = RuntimeApi(), self._settings
        if problem := languages.problem(environment):
            return End(FAILED, failure=problem, final=True)
        if languages.is_node(environment):
            languages.link_packages(settings.root, environment.get(PACKAGES))
            if remark := languages.remark(environment):
                self._output.line(f"{outcome.NOTE}{remark}")
        while True:
            end = End(CANCELLED)
            if not self._inbox.terminated:
                self._started = self._started or time.time()
                end = attempt.run(
                    api,
                    self._invocation(payload),
                    environment,
                    root=settings.root,
                    inbox=self._inbox,
                    output=self._output,
                    timeout=settings.timeout,
                    grace=settings.grace,
                )
            self._trace(end.failure)
            if not end.again(self._attempt, settings.attempts):
                return end
            delay = outcome.retry_delay(settings.retry_delay, self._attempt)
            self._say("Again", f"{outcome.summary(end)}, again in {delay:g} s")
            self._attempt += 1
            if self._inbox.pause(delay):
                self._invoke()

    def _invocation(self, payload: bytes) -> Invocation:
        """The deadline is set when a worker gets the payload."""
        settings = self._settings
        project_arn = settings.build_arn.rpartition(":")[0].replace(":build/", ":project/")
        custom = {
            "job": settings.job,
            "attempt": str(self._attempt),
            "max_attempts": str(settings.attempts),
        }
        return Invocation(settings.build_id, payload, 0.0, project_arn, custom)

    # --- what is told -----------------------------------------------------------------------

    def tell(self, end: End, result: str | None) -> None:
        """Say how the run has ended: to people, to the build's last phase, and to programs."""
        if end.state == SUCCEEDED:
            last = self._line("Done", f"took {outcome.duration(end.took)}")
        else:
            last = self._line("Error", outcome.summary(end))
        told = f'"state": "{end.state}", "attempt": {self._attempt}'
        exports = {"DEVBRIDGE_STATE": end.state, "DEVBRIDGE_ATTEMPT": str(self._attempt)}
        if self._started is not None:
            exports["DEVBRIDGE_STARTED"] = f"{self._started:.3f}"
        if result is not None:
            exports["DEVBRIDGE_RESULT"] = result
            told += f', "result": {json.dumps(result) if result[0] == "@" else result}'
        if failure := end.failure or (_TERMINATED if end.state == CANCELLED else None):
            # The log has the traceback anyway.
            error = documents.text(failure, MAX_ERROR)
            told += f', "error": {error}'
            exports["DEVBRIDGE_ERROR"] = error if self._inline else self._stored_error(failure)
        # In one piece: whoever reads the log knows the runner's last words by both lines.
        self._output.line(f'{last}\n{{"devbridge": {{{told}}}}}')
        with open(os.path.join(self._settings.root, EXPORTS), "w", encoding="ascii") as file:
            for name, value in exports.items():
                file.write(f"export {name}={shlex.quote(value)}\n")

    def _stored_error(self, failure: Failure) -> str:
        """Put the error into S3; what the build's record may show."""
        settings, key = self._settings, self._settings.error_key
        kind = documents.shortened(failure.type, MAX_TYPE)
        body = documents.text(failure, MAX_STORED_ERROR).encode()
        try:
            aws.put_object(settings.bucket, key, body, encryption_key=settings.key)
        except aws.AwsError as refusal:
            self._say("Warning", f"the error's message is only in this log: {refusal}")
            message = "its message is only in the build's log: S3 did not accept it"
            return json.dumps({"type": kind, "message": message})
        return json.dumps({"type": kind, "at": key})

    def _invoke(self) -> None:
        attempts = self._settings.attempts
        again = f" (attempt {self._attempt} of {attempts})" if attempts > 1 else ""
        self._output.line(f"|  Invoke {self._settings.job} {self._settings.build_id}{again}")

    def _trace(self, failure: Failure | None) -> None:
        if failure is not None:
            for line in failure.trace or (f"{failure.type}: {failure.message}",):
                self._output.line(line)

    def _say(self, word: str, text: str) -> None:
        self._output.line(self._line(word, text))

    def _line(self, word: str, text: str) -> str:
        return f"|  {word:7} {self._settings.build_id} {text}"


def worker_environment(settings: Settings, environment: Mapping[str, str]) -> dict[str, str]:
    """The worker's environment: the build's, and what the laptop's workers have, too."""
    own = {key: value for key, value in environment.items() if key not in _PAYLOAD}
    packages = environment.get(PACKAGES)
    if packages and not languages.is_node(environment):
        # So the handler's own child processes find them, too.
        paths = (environment.get("PYTHONPATH"), packages)
        own["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    return {
        **own,
        "AWS_LAMBDA_FUNCTION_NAME": settings.job,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": environment.get("DEVBRIDGE_MEMORY_MB", ""),
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/codebuild/{settings.project}",
        "AWS_LAMBDA_LOG_STREAM_NAME": environment.get("CODEBUILD_LOG_PATH", settings.build_id),
        "_HANDLER": settings.handler,
        "LAMBDA_TASK_ROOT": settings.root,
    }


def stored(settings: Settings, end: End) -> str | None:
    """The result as a variable can hold it: a JSON text of ASCII characters, or ``@KEY`` when it
    is large, or not for all who may read builds, and was put into S3.

    Raises:
        AwsError: it cannot be stored.
    """
    if end.state != SUCCEEDED or end.result is None:
        return None
    text = ascii_json(end.result.decode())
    if text == "null" or (settings.inline and len(text) <= MAX_INLINE):
        return text
    aws.put_object(settings.bucket, settings.result_key, end.result, encryption_key=settings.key)
    return f"@{settings.result_key}"


def ascii_json(text: str) -> str:
    """The same JSON text, in which every other character is escaped."""
    return re.sub(r"[^\x00-\x7e]", lambda found: json.dumps(found[0])[1:-1], text)


def _running(settings: Settings) -> list[concurrency.Build]:
    return concurrency.in_progress(
        aws.codebuild("ListBuildsForProject"),
        aws.codebuild("BatchGetBuilds"),
        settings.project,
        time.time(),
    )
