"""A CodeBuild in memory behind botocore's real client, whose model checks requests and answers."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

PROJECT = "demo_prod_factorial"
_BEGIN = 1_800_000_000


def client(service: str) -> Any:
    return boto3.client(  # type: ignore[call-overload]
        service, region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b"
    )


class FakeCodeBuild:
    """Starts builds that stay as they are until a test changes them; `calls` has the operations."""

    def __init__(self, variables: Mapping[str, str] = {}) -> None:
        self.variables = {"DEVBRIDGE_JOB_NAME": "factorial", "DEVBRIDGE_HANDLER": "a.handler"}
        self.variables |= variables
        self.builds: dict[str, dict[str, Any]] = {}
        self.tokens: dict[str, dict[str, Any]] = {}
        self.calls: list[str] = []
        self.now = float(_BEGIN)

    @cached_property
    def client(self) -> Any:
        """Made when it is asked for: that takes most of the time of many tests."""
        made = client("codebuild")
        made.meta.events.register_first("before-send.codebuild", self._answer)
        return made

    def add(self, status: str = "IN_PROGRESS", phase: str = "BUILD", **more: Any) -> dict[str, Any]:
        """A build that somebody has started."""
        self.now += 1
        build_id = f"{PROJECT}:{uuid.UUID(int=int(self.now) - _BEGIN)}"
        variables = [{"name": k, "value": v} for k, v in self.variables.items()]
        self.builds[build_id] = {
            "id": build_id,
            "projectName": PROJECT,
            "startTime": self.now,
            "buildStatus": status,
            "currentPhase": phase,
            "environment": {
                "type": "LINUX_CONTAINER",
                "image": "i",
                "computeType": "BUILD_GENERAL1_SMALL",
                "environmentVariables": variables,
            },
            **more,
        }
        return self.builds[build_id]

    def _answer(self, request: Any, **_: Any) -> AWSResponse:
        operation = request.headers["X-Amz-Target"].decode().partition(".")[2]
        self.calls.append(operation)
        answer = getattr(self, f"_{operation}")(json.loads(request.body))
        status = 400 if "__type" in answer else 200
        headers, raw = HTTPHeaders(), _Raw(json.dumps(answer).encode())
        return AWSResponse(request.url, status, headers, raw)

    def _StartBuild(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        same = {key: value for key, value in asked.items() if key != "idempotencyToken"}
        known = self.tokens.get(asked["idempotencyToken"])
        if known is None:
            build = self.add(phase="QUEUED")
            build["environment"]["environmentVariables"] += asked["environmentVariablesOverride"]
            known = self.tokens[asked["idempotencyToken"]] = {"asked": same, "build": build}
        if known["asked"] != same:
            return {"__type": "InvalidInputException", "message": "parameter mismatch"}
        return {"build": known["build"]}

    def _StopBuild(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        self.builds[asked["id"]]["buildStatus"] = "STOPPED"
        return {"build": self.builds[asked["id"]]}

    def _BatchGetBuilds(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        assert 0 < len(asked["ids"]) <= 100
        known = [self.builds[i] for i in asked["ids"] if i in self.builds]
        return {
            "builds": known,
            "buildsNotFound": [i for i in asked["ids"] if i not in self.builds],
        }


class _Raw:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, *_: Any, **__: Any) -> Any:
        yield self._body
