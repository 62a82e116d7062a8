"""One build, from its container to its last phase."""

from __future__ import annotations

import functools
import logging
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Final

from ..machines import clients, environment, runtimes
from ..machines.failure import Ended, Failure, words
from ..machines.logs import Event, Log
from ..machines.node import put_node
from ..machines.roles import Role
from . import buildspec, chosen, records, source, variables
from .builds import Build
from .buildspec import Buildspec, Phase
from .shell import Shell, how

log = logging.getLogger("codebuild")

Register = Callable[[Role], Callable[[], object]]
"""Makes a role's credentials available to the build; what it returns ends that."""

_NAMES: Final = {"install": "INSTALL", "pre_build": "PRE_BUILD", "build": "BUILD"}


def run(build: Build, register: Register) -> None:
    """Run the build to its end, whatever that is; leaves no process and no file behind."""
    with ExitStack() as stack:
        try:
            status = _Run(build, stack).run(register)
        except Ended:
            return
        except Failure:
            status = records.FAILED
        except Exception as error:  # ours: the user's are failures of a phase
            log.exception("build %s", build.record["id"])
            build.end(records.FAULT, "INTERNAL_ERROR", str(error))
            return
        build.complete(status)


class _Run:
    def __init__(self, build: Build, stack: ExitStack) -> None:
        self._build = build
        self._record = build.record
        self._stack = stack
        self._log: Log | None = None
        self._role: Role
        self._binaries: Path
        _, _, _, self._region, _, _ = self._record["arn"].split(":", 5)
        self._uuid = self._record["id"].rpartition(":")[2]

    def run(self, register: Register) -> str:
        """Raises Failure and Ended; otherwise the build's status."""
        self._build.leave(records.SUCCEEDED)  # QUEUED
        with self._build.phase("PROVISIONING"):
            self._provision(register)
        succeeded = True
        try:
            spec, shell = self._downloaded()
            succeeded = self._phases(spec, shell)
            shell.close()
            with self._build.changing() as record:
                record["exportedEnvironmentVariables"] = [
                    {"name": name, "value": shell.exported[name]}
                    for name in spec.exported
                    if name in shell.exported
                ]
        except Failure:
            succeeded = False
        with self._build.phase("FINALIZING"):
            if self._log:
                self._log.close()
        return records.SUCCEEDED if succeeded else records.FAILED

    def _provision(self, register: Register) -> None:
        # The last to be cleaned up: what is in it is used until then.
        directory = Path(tempfile.mkdtemp(prefix="codebuild-"))
        self._stack.callback(shutil.rmtree, directory, ignore_errors=True)
        self._directory = directory
        self._role = Role(
            self._record.get("serviceRole", ""),
            f"AWSCodeBuild-{self._uuid}",
            source_arn=records.project_arn(self._record),
        )
        self._stack.callback(self._role.close)
        self._stack.callback(register(self._role))
        self._open_log()
        runtimes.python_of(self._record["environment"].get("image", ""))
        for name in ("src", "shell", *environment.FOLDERS):
            (directory / name).mkdir()

    def _client(self, service: str) -> Any:
        return clients.client(service, self._region, self._role.keys)

    def _open_log(self) -> None:
        wanted = records.stream_of(self._record)
        if wanted is None:
            return
        group, stream = wanted
        logs = self._client("logs")
        try:
            try:
                logs.create_log_stream(logGroupName=group, logStreamName=stream)
            except logs.exceptions.ResourceNotFoundException:
                # Another build may just have made it.
                with suppress(logs.exceptions.ResourceAlreadyExistsException):
                    logs.create_log_group(logGroupName=group)
                logs.create_log_stream(logGroupName=group, logStreamName=stream)
        except Exception as error:
            raise Failure(
                "ACCESS_DENIED",
                f"Service role {self._record['serviceRole']} does not allow AWS CodeBuild to create"
                f" Amazon CloudWatch Logs log streams for build {self._record['arn']}. Error"
                f" message: {words(error)}",
            ) from error
        with self._build.changing() as record:
            records.name_stream(record, group, stream)

        def send(events: list[Event]) -> None:
            logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)

        self._log = Log(send)
        self._stack.callback(self._log.close)

    def _say(self, text: str) -> None:
        if self._log:
            self._log.line(text)

    def _note(self, text: str) -> None:
        """Have a line in the log that CodeBuild does not write."""
        if self._log:
            self._log.note(text)

    def _said(self, phase: str, status: str, code: str = "", message: str = "") -> None:
        self._say(f"Phase complete: {phase} State: {status}")
        self._say(f"Phase context status code: {code} Message: {message}")

    def _downloaded(self) -> tuple[Buildspec, Shell]:
        with self._build.phase("DOWNLOAD_SOURCE"):
            try:
                spec, shell = self._download()
            except Failure as failure:
                self._said("DOWNLOAD_SOURCE", "FAILED", failure.code, failure.message)
                raise
            self._said("DOWNLOAD_SOURCE", "SUCCEEDED")
            return spec, shell

    def _download(self) -> tuple[Buildspec, Shell]:
        folder = self._directory / "src"
        self._say("Waiting for agent ping")
        self._say("Phase is DOWNLOAD_SOURCE")
        s3 = functools.cache(lambda: self._client("s3"))
        version = source.fetch(
            self._record["source"], self._record.get("sourceVersion"), s3, folder
        )
        with self._build.changing() as record:
            if version:
                record["resolvedSourceVersion"] = version
        folders = {"CODEBUILD_SRC_DIR": folder, **self._secondary(s3)}
        for name, path in folders.items():
            self._say(f"{name}={path}")
        spec = self._buildspec(folder)
        values = variables.resolved(variables.declared(self._record, spec), self._client, self._say)
        self._choose(spec)
        for part in spec.ignored:
            self._say(f"Ignored on the embedded cloud: {part}")
        self._say(f"Phases found in YAML: {len(spec.phases)}")
        for name, phase in spec.phases.items():
            self._say(f" {name.upper()}: {len(phase.commands)} commands")
        shell = Shell(
            self._directory / "shell",
            cwd=folder,
            environment=self._environment() | {n: str(p) for n, p in folders.items()} | values,
            output=self._log.output if self._log else _devnull(self._stack),
            program=spec.shell,
            exported=spec.exported,
        )
        self._stack.callback(shell.close)
        self._build.group = shell.group
        self._build.on_end(lambda: shell.terminate(self._build.grace))
        return spec, shell

    def _choose(self, spec: Buildspec) -> None:
        """Make the folder that is first on PATH: with the Python of the image and, where the
        buildspec asks its image for one, a node."""
        image = self._record["environment"].get("image", "")
        asked = spec.runtimes if runtimes.is_curated(image) else {}
        for name, version in spec.runtimes.items():
            if name in asked and name in chosen.NAMES:
                self._say(
                    f"Selecting '{name}' runtime version '{version}' based on manual selections..."
                )
            else:
                self._say(f"Ignored on the embedded cloud: install: runtime-versions: {name}")
        python = chosen.python_of(image, asked, self._note)
        self._binaries = runtimes.make_environment(python, self._directory / "python")
        if node := chosen.node_of(asked, self._note):
            put_node(node, self._binaries, self._directory)

    def _secondary(self, s3: Callable[[], Any]) -> dict[str, Path]:
        """Fetch the other sources; their folders, by the variables that tell of them."""
        versions = {
            each["sourceIdentifier"]: each["sourceVersion"]
            for each in self._record.get("secondarySourceVersions", ())
        }
        folders = {}
        for each in self._record.get("secondarySources", ()):
            name = each["sourceIdentifier"]
            folder = self._directory / f"src-{name}"
            folder.mkdir()
            source.fetch(each, versions.get(name), s3, folder)
            folders[f"CODEBUILD_SRC_DIR_{name}"] = folder
        return folders

    def _buildspec(self, folder: Path) -> Buildspec:
        text = self._record["source"].get("buildspec") or ""
        if not buildspec.is_inline(text):
            path = folder / (text or buildspec.DEFAULT_FILE)
            self._say(f"YAML location is {path}")
            try:
                text = path.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                why = getattr(error, "strerror", None) or str(error)
                raise Failure("YAML_FILE_ERROR", f"stat {path}: {why.lower()}") from None
        return buildspec.parse(text)

    def _environment(self) -> dict[str, str]:
        record = self._record
        stream = records.stream_of(record)
        own = environment.of_machine(self._directory, self._binaries, self._region, self._role)
        return own | {
            "CODEBUILD_BUILD_ARN": record["arn"],
            "CODEBUILD_BUILD_ID": record["id"],
            "CODEBUILD_BUILD_IMAGE": record["environment"]["image"],
            "CODEBUILD_BUILD_NUMBER": str(record["buildNumber"]),
            "CODEBUILD_BUILD_SUCCEEDING": "1",
            "CODEBUILD_INITIATOR": record["initiator"],
            "CODEBUILD_KMS_KEY_ID": record.get("encryptionKey", ""),
            "CODEBUILD_LOG_PATH": stream[1] if stream else "",
            "CODEBUILD_PROJECT_ARN": records.project_arn(record),
            "CODEBUILD_RESOLVED_SOURCE_VERSION": record.get("resolvedSourceVersion", ""),
            "CODEBUILD_SOURCE_REPO_URL": source.url(record["source"]),
            "CODEBUILD_SOURCE_VERSION": record.get("sourceVersion", ""),
            "CODEBUILD_START_TIME": str(int(record["startTime"] * 1000)),
        }

    def _phases(self, spec: Buildspec, shell: Shell) -> bool:
        """Run the phases; whether all went well."""
        succeeded, stop = True, False
        for name, upper in _NAMES.items():
            phase = spec.phases.get(name, Phase())
            if not self._phase(upper, phase, shell):
                succeeded = False
                shell.set("CODEBUILD_BUILD_SUCCEEDING", "0")
                # post_build runs after a build that failed, unless that is told to abort.
                stop = phase.abort or (name != "build" and not phase.go_on)
                if stop:
                    return False
        last = self._phase("POST_BUILD", spec.phases.get("post_build", Phase()), shell)
        with self._build.phase("UPLOAD_ARTIFACTS"):
            self._said("UPLOAD_ARTIFACTS", "SUCCEEDED")
        return succeeded and last

    def _phase(self, name: str, phase: Phase, shell: Shell) -> bool:
        try:
            with self._build.phase(name):
                self._say(f"Entering phase {name}")
                try:
                    try:
                        self._commands(phase.commands, shell)
                    finally:
                        self._commands(phase.last, shell)
                except Failure as failure:
                    self._said(name, "FAILED", failure.code, failure.message)
                    raise
                self._said(name, "SUCCEEDED")
        except Failure:
            return False
        return True

    def _commands(self, commands: tuple[str, ...], shell: Shell) -> None:
        for command in commands:
            self._say(f"Running command {command.rstrip()}")
            code = shell.run(command)
            if self._build.ended.is_set():
                raise Ended
            if code:
                self._say(f"Command did not exit successfully {command.rstrip()} {how(code)}")
                raise Failure(
                    "COMMAND_EXECUTION_ERROR",
                    f"Error while executing command: {command.rstrip()}. Reason: {how(code)}",
                )


def _devnull(stack: ExitStack) -> int:
    descriptor = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    stack.callback(os.close, descriptor)
    return descriptor
