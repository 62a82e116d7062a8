"""CodeBuild's API in the place of ministack's: its requests, its builds, what its projects keep."""

from __future__ import annotations

import contextvars
import functools
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from ..host import before, ministack
from ..machines import events as bus
from ..machines import roles
from ..machines.group import Group
from ..machines.running import Machine, run_of
from . import events
from .api import Api, Refused, Tokens
from .builds import Build, Queue
from .records import FAULT, Json
from .run import run

Answer = tuple[int, dict[str, str], bytes]
"""Status, headers and body."""

CONCURRENT_BUILDS: Final = 60
"""Builds that run at the same time, whatever this machine has: AWS's quota of an account. With
fewer, builds that wait for builds which they have started would wait for ever."""
_NUMBERS: Final = ("queuedTimeoutInMinutes", "concurrentBuildLimit")
_KEPT: Final = {
    "ConcurrentBuildLimit": "concurrentBuildLimit",
    "QueuedTimeoutInMinutes": "queuedTimeoutInMinutes",
    "Cache": "cache",
    "FileSystemLocations": "fileSystemLocations",
    "LogsConfig": "logsConfig",
    "SecondaryArtifacts": "secondaryArtifacts",
    "SecondarySources": "secondarySources",
    "SecondarySourceVersions": "secondarySourceVersions",
    "SourceVersion": "sourceVersion",
    "VpcConfig": "vpcConfig",
}
"""Properties of a project, in templates and in the API, that ministack would forget."""


class Here:
    """The caller's account and region, for one request."""

    def __init__(self, queue: Queue) -> None:
        codebuild, responses = ministack("services.codebuild"), ministack("core.responses")
        self.region: str = responses.get_region()
        self.account: str = responses.get_account_id()
        self.projects = codebuild._projects
        self.builds = codebuild._builds
        # "root", "<user>", "<role>/<session>"
        self.initiator = (
            str(ministack("core.iam_evaluator").caller_arn()).partition("/")[2] or "root"
        )
        self._queue = queue

    def find(self, build_id: str) -> Build | None:
        """The build of that id if it has not ended."""
        return self._queue.get(build_id)

    def start(self, build: Build) -> None:
        """Let the build wait for its turn, and run."""
        put = bus.putter("aws.codebuild", self.account, self.region)

        def tell() -> None:
            record = build.snapshot()
            put(events.KIND, [record["arn"]], events.detail(record))

        build.tell = tell
        tell()
        self._queue.submit(build, contextvars.copy_context().run)


class Service:
    """Everything of CodeBuild that lives in this process."""

    def __init__(self, register: roles.Register) -> None:
        self.queue = Queue(lambda build: run(build, register.add), CONCURRENT_BUILDS)
        self.tokens = Tokens()
        self._api = Api(self.tokens)

    def machines(self) -> Iterable[Machine]:
        """The builds that run or wait."""
        for build in self.queue.live():
            record, group = build.snapshot(), build.group
            variables = record["environment"]["environmentVariables"]
            yield Machine(
                compute="codebuild",
                id=record["id"],
                status=record["currentPhase"],
                names=[record["arn"], record["id"].rpartition(":")[2]],
                run=run_of(variables),
                pids=[group.pid] if group and not build.ended.is_set() else [],
                # Its host gives a build no notice.
                interrupt=functools.partial(_kill, group),
            )

    def end_with_ministack(self) -> None:
        """End builds before ministack forgets or saves them, and show what projects keep."""
        codebuild = ministack("services.codebuild")
        shape = codebuild._project_shape

        def stopped() -> None:
            self.queue.end_all(FAULT, "the embedded cloud was stopped while the build ran")

        def reset() -> None:
            self.queue.end_all(FAULT, "the embedded cloud was reset while the build ran")
            self.tokens.clear()

        before(codebuild, "get_state", stopped)
        before(codebuild, "reset", reset)
        codebuild._project_shape = lambda project: {
            **shape(project),
            **{key: project[key] for key in _KEPT.values() if key in project},
        }

    async def handle_request(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, query_params: Any
    ) -> Answer:
        """Answer what is about builds; the rest is ministack's."""
        module = ministack("app")._get_module("codebuild")
        action = headers.get("x-amz-target", "").rpartition(".")[2]
        operation = self._api.operations.get(action)
        if operation is None:
            answer: Answer = await module.handle_request(method, path, headers, body, query_params)
            return _with_what_is_kept(action, body, answer)
        try:
            request = json.loads(body or b"{}")
            return _answer(200, operation(Here(self.queue), request))
        except Refused as refused:
            return _answer(400, {"__type": refused.code, "message": refused.message})
        except ValueError as error:
            return _answer(400, {"__type": "SerializationException", "message": str(error)})


def _kill(group: Group | None, _: bool) -> None:
    if group:
        group.kill()


def keep_properties(provisioners: Any) -> None:
    """Let CloudFormation give projects the properties that ministack would forget."""
    handlers = provisioners._RESOURCE_HANDLERS["AWS::CodeBuild::Project"]
    create, update = handlers["create"], handlers["update"]

    def keep(answer: Any, properties: Mapping[str, Any]) -> Any:
        project = ministack("services.codebuild")._projects[answer[0]]
        for name, key in _KEPT.items():
            project.pop(key, None)
            if name in properties:
                value = provisioners._pascal_to_camel(properties[name])
                project[key] = int(value) if key in _NUMBERS else value
        return answer

    handlers["create"] = lambda title, properties, stack: keep(
        create(title, properties, stack), properties
    )
    handlers["update"] = lambda physical, old, new, stack: keep(
        update(physical, old, new, stack), new
    )


def _with_what_is_kept(action: str, body: bytes, answer: Answer) -> Answer:
    """ministack's answer to a change of a project, with all that was asked for."""
    if action not in ("CreateProject", "UpdateProject") or answer[0] != 200:
        return answer
    request: Json = json.loads(body)
    codebuild = ministack("services.codebuild")
    project = codebuild._projects[request["name"]]
    project |= {key: request[key] for key in _KEPT.values() if key in request}
    return _answer(200, {"project": codebuild._project_shape(project)})


def _answer(status: int, content: Json) -> Answer:
    headers = {"Content-Type": "application/x-amz-json-1.1"}
    if status != 200:
        headers["x-amzn-errortype"] = content["__type"]
    return status, headers, json.dumps(content).encode()
