"""A build of AWS CodeBuild.

It tells how the run ended by ``export`` lines in ``.devbridge-exports``, which the build's last
phase reads: DEVBRIDGE_STATE, DEVBRIDGE_RESULT, DEVBRIDGE_ERROR, DEVBRIDGE_ATTEMPT, and
DEVBRIDGE_STARTED: when the first attempt began, in seconds since the epoch.

CodeBuild shows a build's environment and exported variables for a year to all who may read builds.
Unless DEVBRIDGE_INLINE is set, what a run returns and what its error says is therefore put into S3,
and the variables say where: ``@KEY``, ``{"type": ..., "at": KEY}``.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping

from runner import documents
from runner.host.base import Pause, Window
from runner.host.lines import Lines
from runner.host.settings import Settings
from runner.host.store import Store
from runner.host.told import Told
from runner.outcome import End, Failure
from runner.signed import AwsError

EXPORTS = ".devbridge-exports"
MAX_ERROR = 4 * 1024
"""Bytes of an error that a variable holds."""
MAX_TYPE = 1024
"""Bytes of the name of an error's class."""
PACKAGES = "CODEBUILD_SRC_DIR_packages"
"""The variable with the folder of the project's source "packages": what the job imports."""


class CodeBuildHost:
    """The build. SIGTERM says that somebody has stopped it."""

    interruptible = False
    cancelled = False

    def __init__(self, settings: Settings, environment: Mapping[str, str], lines: Lines) -> None:
        self._settings = settings
        self._lines = lines
        build_id = environment.get("CODEBUILD_BUILD_ID", settings.run_id)
        self._project = build_id.partition(":")[0]
        self._stream = environment.get("CODEBUILD_LOG_PATH", build_id)
        self.root = os.path.abspath(environment.get("CODEBUILD_SRC_DIR") or os.getcwd())
        self.packages = environment.get(PACKAGES, "")
        build_arn = environment.get("CODEBUILD_BUILD_ARN", "")
        self.arn = build_arn.rpartition(":")[0].replace(":build/", ":project/")
        self.grace = settings.grace

    def variables(self) -> Mapping[str, str]:
        """See `Host`."""
        group, stream = self.logs()
        return {"AWS_LAMBDA_LOG_GROUP_NAME": group, "AWS_LAMBDA_LOG_STREAM_NAME": stream}

    def logs(self) -> tuple[str, str]:
        """See `Host`."""
        return f"/aws/codebuild/{self._project}", self._stream

    def earlier(self) -> Told | None:
        """See `Host`. A build tells nothing before its end."""
        return None

    def window(self, timeout: float, spent: float) -> Window:
        """See `Host`."""
        return Window(timeout)

    def pause(self, timeout: float, delay: float) -> Pause:
        """See `Host`."""
        return Pause(delay)

    def hand_over(self, told: Told, *, progress: bool | None) -> End | None:
        """See `Host`. Nobody takes a build away."""
        raise NotImplementedError

    def tell(self, told: Told) -> None:
        """See `Host`."""
        if not told.ended:
            return
        exports = {"DEVBRIDGE_STATE": told.state, "DEVBRIDGE_ATTEMPT": str(told.attempt)}
        if told.started_at is not None:
            exports["DEVBRIDGE_STARTED"] = f"{told.started_at:.3f}"
        if told.result is not None:
            exports["DEVBRIDGE_RESULT"] = told.result
        if failure := told.failure:
            shown = self._settings.inline or not told.secret
            exports["DEVBRIDGE_ERROR"] = (
                documents.text(failure, MAX_ERROR) if shown else self._stored(failure)
            )
        with open(os.path.join(self.root, EXPORTS), "w", encoding="ascii") as file:
            for name, value in exports.items():
                file.write(f"export {name}={shlex.quote(value)}\n")

    def _stored(self, failure: Failure) -> str:
        """Put the error into S3; what the build's record may show."""
        kind = documents.shortened(failure.type, MAX_TYPE)
        try:
            return json.dumps({"type": kind, "at": Store(self._settings).error(failure)})
        except AwsError as refusal:
            self._lines.warn(f"the error's message is only in this log: {refusal}")
            message = "its message is only in the build's log: S3 did not accept it"
            return json.dumps({"type": kind, "message": message})
