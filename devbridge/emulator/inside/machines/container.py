"""One container: a process with the programs of an image, a folder of its own, and a log."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from . import clients, environment, images, stored, unpacked, volumes
from .failure import Failure, words
from .group import Group
from .logs import Event, Log
from .roles import Role

START: Final = "CannotStartContainerError"
INITIALIZE: Final = "ResourceInitializationError"
_NOT_FOUND: Final = "executable file not found in $PATH"
_LAMBDA_EXIT: Final = 142


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a container is to be, however a service was told so."""

    name: str
    image: str
    command: Sequence[str] = ()
    entry_point: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    """By variable: the ARN or the name of what it is read from."""
    log: tuple[str, str] | None = None
    """Log group and stream."""
    makes_group: bool = False
    """Whether the log group is made if it is not there."""
    mounts: Sequence[Mapping[str, Any]] = ()
    essential: bool = True
    stop_timeout: float = 30.0
    """Seconds from SIGTERM to SIGKILL."""


class Container:
    """Prepared, started, awaited; `terminate` and `kill` may come at any time from any thread."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.exit_code: int | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self._stack = ExitStack()
        self._group = Group()
        self._stack.callback(self._group.close)

    def prepare(
        self,
        region: str,
        role: Role | None,
        execution: Role | None,
        known_volumes: Sequence[Mapping[str, Any]],
    ) -> None:
        """Have all that it needs, as the service would.

        Args:
            role: whose credentials its processes get.
            execution: whose credentials read its secrets and write its log.

        Raises:
            Failure: it cannot be started, for this reason.
        """
        root = Path(tempfile.mkdtemp(prefix="container-"))
        self._stack.callback(shutil.rmtree, root, ignore_errors=True)
        self._stack.callback(self._group.close)  # before the folder goes that it works in
        for name in (*environment.FOLDERS, "work"):
            (root / name).mkdir()
        remarks: list[str] = []
        self._image = images.find(self.wanted.image, remarks.append)
        binaries = self._image.unpack(root)
        self._cwd = str(root / "work")
        mounts = volumes.mounted(known_volumes, self.wanted.mounts, root / "volumes")
        own = environment.of_machine(root, binaries, region, role)
        given = {**self.wanted.environment, **self._secrets(region, execution)}
        if "DEVBRIDGE_PACKAGES" in given:
            own["DEVBRIDGE_UNPACKED"] = str(unpacked.shared())
        self._environment = own | {n: volumes.led(v, mounts) for n, v in given.items()}
        words_ = [*self.wanted.entry_point, *self.wanted.command]
        self._command = [volumes.led(word, mounts) for word in words_]
        self._log = self._opened(region, execution)
        self._stack.callback(self._log.close)
        for remark in remarks:
            self._log.note(remark)

    def start(self, more: Mapping[str, str]) -> None:
        """Start it, with `more` variables that come from the service.

        Raises:
            Failure: there is no such program.
        """
        variables = {**self._environment, **more}
        command = self._command or ["python3"]
        if self._image.is_lambda and not self.wanted.entry_point and len(command) != 1:
            self._log.note("entrypoint requires the handler name to be the first argument")
            self.exit_code = _LAMBDA_EXIT
            return
        found = shutil.which(command[0], path=variables["PATH"])
        if not found:
            raise Failure(START, f'exec: "{command[0]}": {_NOT_FOUND}')
        self.process = self._group.start(
            [found, *command[1:]],
            cwd=self._cwd,
            environment=variables,
            output=self._log.output,
        )
        if self.process is None:  # it was ended before it began
            self.exit_code = 128 + signal.SIGKILL

    def wait(self) -> int:
        """Its exit code, when it has ended: of a signal, 128 more than its number."""
        if self.process is not None and self.exit_code is None:
            code = self.process.wait()
            self.exit_code = code if code >= 0 else 128 - code
        return self.exit_code or 0

    def reap(self, seconds: float) -> None:
        """Wait for its process as long as that at most, whatever becomes of its log."""
        if self.process is not None:
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds)
                self.wait()

    def terminate(self) -> None:
        """SIGTERM to its process, and after its time to stop SIGKILL to all that it has started."""
        self._group.terminate(self.wanted.stop_timeout, only=self.process)

    def kill(self) -> None:
        """SIGKILL to all of it."""
        self._group.kill()

    def close(self) -> None:
        """Leave nothing of it: no process, no file; what it has printed is in its log."""
        self._group.kill()  # a container ends with its first process
        self._stack.close()

    def _secrets(self, region: str, execution: Role | None) -> dict[str, str]:
        if not self.wanted.secrets:
            return {}
        if execution is None:
            raise Failure(
                INITIALIZE, "unable to pull secrets: the task definition has no execution role"
            )
        managed = {n: v for n, v in self.wanted.secrets.items() if ":secretsmanager:" in v}
        named = {n: v for n, v in self.wanted.secrets.items() if n not in managed}
        values: dict[str, str] = {}
        try:
            if named:
                ssm = clients.client("ssm", region, execution.keys)
                found = stored.parameters(ssm, sorted(set(named.values())))
                values |= {name: found[value] for name, value in named.items()}
            if managed:
                manager = clients.client("secretsmanager", region, execution.keys)
                values |= {n: stored.secret(manager, value) for n, value in managed.items()}
        except Failure as failure:
            raise Failure(
                INITIALIZE,
                "unable to pull secrets or registry auth: execution resource retrieval failed:"
                f" {failure.message}",
            ) from failure
        return values

    def _opened(self, region: str, execution: Role | None) -> Log:
        if self.wanted.log is None:
            return Log(lambda _events: None)
        if execution is None:
            raise Failure(INITIALIZE, "the awslogs log driver needs an execution role")
        group, stream = self.wanted.log
        logs = clients.client("logs", region, execution.keys)
        try:
            if self.wanted.makes_group:
                with suppress(logs.exceptions.ResourceAlreadyExistsException):
                    logs.create_log_group(logGroupName=group)
            with suppress(logs.exceptions.ResourceAlreadyExistsException):
                logs.create_log_stream(logGroupName=group, logStreamName=stream)
        except Exception as error:
            raise Failure(
                INITIALIZE,
                "failed to validate logger args: create stream has been retried 1 times: failed to"
                f" create Cloudwatch log stream: {words(error)} : exit status 1",
            ) from error
        return Log(_sender(logs, group, stream))


def _sender(logs: Any, group: str, stream: str) -> Callable[[list[Event]], None]:
    def send(events: list[Event]) -> None:
        # The awslogs driver sends lines without their ends, and no empty ones.
        lines = [{**each, "message": each["message"].rstrip("\r\n")} for each in events]
        lines = [each for each in lines if each["message"]]
        if lines:
            logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=lines)

    return send
