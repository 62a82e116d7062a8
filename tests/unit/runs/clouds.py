"""Builds in a CodeBuild and lines in a CloudWatch Logs, as AWS would give them."""

from __future__ import annotations

import datetime
import io
import json
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

RESULTS = "devbridge-assets-123456789012-eu-west-1"


class NotThereError(Exception):
    """CodeBuild's and CloudWatch's ResourceNotFoundException."""


class exceptions:  # noqa: N801 - boto3
    ResourceNotFoundException = NotThereError


@dataclass
class CodeBuild:
    """Projects and their builds, in pages of two ids."""

    projects: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    exceptions = exceptions

    def add(
        self,
        job_id: str,
        status: str = "SUCCEEDED",
        *,
        phase: str = "COMPLETED",
        age: float = 60.0,
        took: float = 1.5,
        told: Mapping[str, str] | None = None,
        attempts: int = 1,
    ) -> dict[str, Any]:
        """A build that was asked for `age` seconds ago; it ran one second after."""
        project = job_id.partition(":")[0]
        job = project.split("_", 2)[2]
        began = datetime.datetime.fromtimestamp(time.time() - age, tz=datetime.UTC)
        second = datetime.timedelta(seconds=1)
        variables = {"DEVBRIDGE_JOB_NAME": job, "DEVBRIDGE_ATTEMPTS": str(attempts)}
        build: dict[str, Any] = {
            "id": job_id,
            "buildStatus": status,
            "currentPhase": phase,
            "startTime": began,
            "environment": {
                "environmentVariables": [{"name": k, "value": v} for k, v in variables.items()]
            },
            "phases": [{"phaseType": "BUILD", "startTime": began + second}],
            "logs": {"groupName": f"/aws/codebuild/{project}", "streamName": job_id[-12:]},
            "exportedEnvironmentVariables": [
                {"name": f"DEVBRIDGE_{name.upper()}", "value": value}
                for name, value in (told or {}).items()
            ],
        }
        if status != "IN_PROGRESS":
            build["endTime"] = began + second + datetime.timedelta(seconds=took)
        self.projects.setdefault(project, []).insert(0, build)
        return build

    def ends(self, job_id: str, status: str, **told: str) -> None:
        """Let a build that is in progress end."""
        project = job_id.partition(":")[0]
        self.projects[project] = [b for b in self.projects[project] if b["id"] != job_id]
        self.add(job_id, status, told=told)

    def list_builds_for_project(self, **given: Any) -> Any:
        self.asked.append("list")
        assert given["sortOrder"] == "DESCENDING"
        if given["projectName"] not in self.projects:
            raise NotThereError
        ids = [build["id"] for build in self.projects[given["projectName"]]]
        start = int(given.get("nextToken", 0))
        more = {"nextToken": str(start + 2)} if len(ids) > start + 2 else {}
        return {"ids": ids[start : start + 2], **more}

    def batch_get_builds(self, *, ids: list[str]) -> Any:
        self.asked.append("get")
        found = [build for builds in self.projects.values() for build in builds]
        return {"builds": [dict(build) for build in found if build["id"] in ids]}

    def stop_build(self, *, id: str) -> Any:
        self.asked.append("stop")
        self.ends(id, "STOPPED")
        return {"build": self.batch_get_builds(ids=[id])["builds"][0]}


@dataclass
class Logs:
    """Streams of events, in pages of two; a page may be empty though more follow."""

    streams: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    exceptions = exceptions

    def say(self, job_id: str, *messages: str) -> None:
        names = (f"/aws/codebuild/{job_id.partition(':')[0]}", job_id[-12:])
        self.streams.setdefault(names, []).extend(messages)

    def get_log_events(self, **given: Any) -> Any:
        assert given["startFromHead"]
        names = (given["logGroupName"], given["logStreamName"])
        if names not in self.streams:
            raise NotThereError
        events, token = self.streams[names], given.get("nextToken", "f/-1")
        start = int(token.removeprefix("f/"))
        page = [] if start < 0 else events[start : start + 2]
        return {
            "events": [{"message": message} for message in page],
            "nextForwardToken": f"f/{max(start, 0) + len(page)}",
        }


@dataclass
class S3:
    """Objects of the asset bucket."""

    objects: dict[str, bytes] = field(default_factory=dict)
    bucket: str = RESULTS
    more: dict[str, dict[str, str]] = field(default_factory=dict)
    """What else each object was put with."""

    deleted: dict[str, bytes] = field(default_factory=dict)
    """The versions that are left of deleted objects."""

    def get_object(self, *, Bucket: str, Key: str, VersionId: str = "") -> Any:  # noqa: N803 - boto3
        assert Bucket == self.bucket
        objects = self.deleted if VersionId else self.objects
        if Key not in objects:
            raise ClientError({"Error": {"Code": "NoSuchKey", "Message": "no"}}, "GetObject")
        return {"Body": io.BytesIO(objects[Key])}

    def list_object_versions(self, *, Bucket: str, Prefix: str) -> Any:  # noqa: N803
        assert Bucket == self.bucket
        keys = [key for key in self.deleted if key.startswith(Prefix)]
        return {"Versions": [{"Key": key, "VersionId": "v1"} for key in keys]} if keys else {}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, **more: str) -> None:  # noqa: N803
        assert Bucket == self.bucket
        if more.get("IfNoneMatch") == "*" and Key in self.objects:
            error: Any = {"Error": {"Code": "PreconditionFailed", "Message": "it is there"}}
            raise ClientError(error, "PutObject")
        self.objects[Key], self.more[Key] = Body, more

    def delete_objects(self, *, Bucket: str, Delete: Any) -> None:  # noqa: N803
        assert Bucket == self.bucket
        for each in Delete["Objects"]:
            if (body := self.objects.pop(each["Key"], None)) is not None:
                self.deleted[each["Key"]] = body


class CloudFormation:
    """One that has no stack, or the one that a test puts in."""

    class exceptions:  # noqa: N801 - boto3
        ClientError = ClientError

    def __init__(self) -> None:
        self.stacks: dict[str, dict[str, Any]] = {}

    def describe_stacks(self, *, StackName: str) -> Any:  # noqa: N803 - boto3
        if StackName not in self.stacks:
            error: Any = {"Error": {"Code": "ValidationError", "Message": "... does not exist"}}
            raise ClientError(error, "DescribeStacks")
        return {"Stacks": [self.stacks[StackName]]}


class BuildCloud:
    """A cloud that has builds."""

    account = "123456789012"
    region = "eu-west-1"
    endpoint_url = None

    def __init__(self) -> None:
        self.codebuild, self.logs, self.s3 = CodeBuild(), Logs(), S3()
        self.cloudformation = CloudFormation()
        self.clients: dict[str, Any] = {
            "cloudformation": self.cloudformation,
            "codebuild": self.codebuild,
            "logs": self.logs,
            "s3": self.s3,
        }

    def client(self, service: str) -> Any:
        return self.clients[service]

    def explained(self) -> AbstractContextManager[None]:
        return nullcontext()


def error(kind: str, message: str) -> str:
    return json.dumps({"type": kind, "message": message})
