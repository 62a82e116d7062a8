"""Where this package meets ministack: its handler, its projects, its state, its reset."""

from __future__ import annotations

import contextvars
import json
import logging
import pickle
import uuid
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, Final, TextIO

from .codebuild import roles
from .codebuild.api import Api, Refused, Tokens
from .codebuild.builds import Build, Queue
from .codebuild.records import STOPPED, Json
from .codebuild.run import run
from .corrections import apis, authorization, buckets, durable, listeners, refusals
from .gate import access, gate
from .host import ministack

log = logging.getLogger("codebuild")

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
        return self._queue.get(build_id)

    def start(self, build: Build) -> None:
        self._queue.submit(build, contextvars.copy_context().run)


class Service:
    """Everything of CodeBuild that lives in this process."""

    def __init__(self) -> None:
        self._roles: dict[str, roles.Role] = {}
        self.queue = Queue(lambda build: run(build, self._register), CONCURRENT_BUILDS)
        self.tokens = Tokens()
        self._api = Api(self.tokens)

    def role(self, token: str) -> roles.Role | None:
        return self._roles.get(token)

    def _register(self, role: roles.Role) -> Callable[[], object]:
        self._roles[role.token] = role
        return lambda: self._roles.pop(role.token, None)

    def end_with_ministack(self) -> None:
        """Let builds end when ministack forgets or saves them, and show what projects keep."""
        codebuild = ministack("services.codebuild")
        get_state, reset, shape = codebuild.get_state, codebuild.reset, codebuild._project_shape

        def get_state_after_the_builds() -> Any:
            self.queue.end_all(STOPPED, "the embedded cloud was stopped")
            return get_state()

        def reset_builds_too() -> None:
            self.queue.end_all(STOPPED, "the embedded cloud was reset")
            self.tokens.clear()
            reset()

        codebuild.get_state = get_state_after_the_builds
        codebuild.reset = reset_builds_too
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


def plug_in(access_key: str, secret_key: str) -> None:
    """Put this package in the place of ministack's own builds, and a gate before all; the keys are
    root's."""
    app, service, root = ministack("app"), Service(), access.Root(access_key, secret_key)
    app.SERVICE_HANDLERS["codebuild"] = service.handle_request
    own = gate.with_health(roles.served_by(app.app, service.role))
    app.app = gate.served_by(apis.served_by(own), root)
    app._H11Protocol._check_protocol = _http_1_alone
    authorization.correct()
    listeners.stay_on_loopback()
    access.believe_only_signatures(root)
    _save_faster()
    durable.keep_room(app)
    # Each is imported by ministack when it is needed first, and not before: it starts faster so.
    changes = {
        "codebuild": service.end_with_ministack,
        "cloudformation": _correct_cloudformation,
        "lambda_svc": listeners.hide_runtime_apis,
        "iot": durable.keep_what_waits,
        "cloudwatch_logs": _copy_logs_faster,
    }
    get_module = app._get_module

    def get_changed_module(name: str) -> Any:
        module = get_module(name)
        if change := changes.pop(name, None):
            change()
        return module

    app._get_module = get_changed_module


async def _http_1_alone(_protocol: object, _request: object) -> None:
    """No change to HTTP/2, which its server offers before the gate is asked."""


def _save_faster() -> None:
    """Let ministack copy and write its state with what is written in C.

    `json.dump` and `copy.deepcopy` are not, and take so long for the log of one talkative build
    that the cloud would be killed before it has saved everything.
    """

    def dump(value: Any, file: TextIO, **options: Any) -> None:
        file.write(json.dumps(value, **options))

    members = {name: getattr(json, name) for name in json.__all__}
    ministack("core.persistence").json = SimpleNamespace(**members | {"dump": dump})


def _copy_logs_faster() -> None:
    """As `_save_faster`; and keep each event once."""
    logs = ministack("services.cloudwatch_logs")
    kept = type(logs._log_records)
    # A second copy of each event, for GetLogRecord, which nobody calls here.
    logs._log_records = type("Forgetful", (kept,), {"__setitem__": lambda *_: None})()

    def deepcopy(value: Any) -> Any:
        if value is logs._log_records:
            return kept()
        return pickle.loads(pickle.dumps(value))  # noqa: S301 - our own

    logs.copy = SimpleNamespace(deepcopy=deepcopy)


def _correct_cloudformation() -> None:
    provisioners = ministack("services.cloudformation.provisioners")
    _keep_properties(provisioners)
    _spell_cors(provisioners)
    buckets.keep_tags(provisioners)
    _name_anew(provisioners)
    refusals.refuse(provisioners, roles.admits)


def _name_anew(provisioners: Any) -> None:
    """Give each new table and queue a name that none has had, as AWS does and ministack does for
    buckets: one that an earlier stack has left must not be taken over, and emptied."""
    seed = provisioners._NAME_SEED

    def anew(create: Callable[..., Any]) -> Callable[..., Any]:
        def created(*arguments: Any) -> Any:
            if not seed.get():
                seed.set(uuid.uuid4().hex[:8])
            return create(*arguments)

        return created

    for kind in ("AWS::DynamoDB::Table", "AWS::SQS::Queue"):
        handlers = provisioners._RESOURCE_HANDLERS[kind]
        handlers["create"] = anew(handlers["create"])


def _spell_cors(provisioners: Any) -> None:
    """Give an API its CORS configuration in the spelling that its gateway reads."""
    handlers, name = provisioners._RESOURCE_HANDLERS["AWS::ApiGatewayV2::Api"], "CorsConfiguration"
    create, update = handlers["create"], handlers["update"]

    def spelled(properties: Mapping[str, Any]) -> Mapping[str, Any]:
        if name not in properties:
            return properties
        return {**properties, name: provisioners._pascal_to_camel(properties[name])}

    handlers["create"] = lambda title, properties, stack: create(title, spelled(properties), stack)
    handlers["update"] = lambda physical, old, new, *rest: update(
        physical, old, spelled(new), *rest
    )


def _keep_properties(provisioners: Any) -> None:
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
