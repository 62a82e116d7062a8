"""Builds in a CodeBuild and lines in a CloudWatch Logs, as AWS would give them."""

from __future__ import annotations

import datetime
import hashlib
import io
import json
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

from devbridge.runs.deployed import DeployedRuns
from devbridge.runs.kept import Kept
from devbridge.runs.providers.known import provider
from devbridge.runs.reading import Deployment, Reader
from devbridge.runs.starting import Starter
from runner.claims import Claim, Place
from runner.places import Places
from stub_lambda import deployed, invoker
from stub_lambda.environment import Placement

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
    s3: S3 | None = None
    """Where the runs are listed, too."""
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
        """A build that was asked for `age` seconds ago; it ran one second after. S3 knows it."""
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
        if self.s3 is not None:
            self.s3.list(job_id, began.timestamp(), attempts)
        return build

    def ends(self, job_id: str, status: str, **told: str) -> None:
        """Let a build that is in progress end."""
        project = job_id.partition(":")[0]
        self.projects[project] = [b for b in self.projects[project] if b["id"] != job_id]
        self.add(job_id, status, told=told)

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

    streams: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    exceptions = exceptions
    time: int = 0
    """Of the last message."""

    def say(self, job_id: str, *messages: str) -> None:
        names = (f"/aws/codebuild/{job_id.partition(':')[0]}", job_id[-12:])
        self.add(names, *messages)

    def add(self, names: tuple[str, str], *messages: str) -> None:
        """One after the other, to the stream of a group."""
        for message in messages:
            self.time += 1
            event = {"timestamp": self.time, "message": message}
            self.streams.setdefault(names, []).append(event)

    def get_log_events(self, **given: Any) -> Any:
        assert given["startFromHead"]
        names = (given["logGroupName"], given["logStreamName"])
        if names not in self.streams:
            raise NotThereError
        events, token = self.streams[names], given.get("nextToken", "f/-1")
        start = int(token.removeprefix("f/"))
        page = [] if start < 0 else events[start : start + 2]
        return {
            "events": page,
            "nextForwardToken": f"f/{max(start, 0) + len(page)}",
        }


@dataclass
class S3:
    """Objects of the asset bucket."""

    objects: dict[str, bytes] = field(default_factory=dict)
    bucket: str = RESULTS
    more: dict[str, dict[str, str]] = field(default_factory=dict)
    """What else each object was put with."""

    at: dict[str, float] = field(default_factory=dict)
    """When each object was put."""
    now: Callable[[], float] = time.time
    page: int = 1000

    deleted: dict[str, bytes] = field(default_factory=dict)
    """The versions that are left of deleted objects."""

    def get_object(self, *, Bucket: str, Key: str, VersionId: str = "") -> Any:  # noqa: N803 - boto3
        assert Bucket == self.bucket
        objects = self.deleted if VersionId else self.objects
        if Key not in objects:
            raise ClientError({"Error": {"Code": "NoSuchKey", "Message": "no"}}, "GetObject")
        at = datetime.datetime.fromtimestamp(self.at.get(Key, 0.0), tz=datetime.UTC)
        etag = hashlib.sha256(objects[Key]).hexdigest()
        return {"Body": io.BytesIO(objects[Key]), "LastModified": at, "ETag": etag}

    def list_objects_v2(
        self,
        *,
        Bucket: str,  # noqa: N803
        Prefix: str,  # noqa: N803
        ContinuationToken: str = "",  # noqa: N803
        StartAfter: str = "",  # noqa: N803
    ) -> Any:
        """Pages of `page` keys."""
        assert Bucket == self.bucket
        start = ContinuationToken or StartAfter
        keys = sorted(k for k in self.objects if k.startswith(Prefix) and k > start)
        some = [{"Key": key} for key in keys[: self.page]]
        more = {"NextContinuationToken": keys[self.page - 1]} if len(keys) > self.page else {}
        return {"Contents": some, **more} if some else {}

    def list_object_versions(self, *, Bucket: str, Prefix: str) -> Any:  # noqa: N803
        assert Bucket == self.bucket
        keys = [key for key in self.deleted if key.startswith(Prefix)]
        return {"Versions": [{"Key": key, "VersionId": "v1"} for key in keys]} if keys else {}

    def list(self, run_id: str, created_at: float, attempts: int) -> None:
        """Put a run into the list, which is the build with this id."""
        project, _, uuid = run_id.partition(":")
        places = Places(project.replace("_", "/", 2))
        claim = Claim(created_at, attempts, "codebuild")
        self.objects.setdefault(places.claim(uuid), claim.body())
        self.objects.setdefault(places.place(uuid), Place(run_id, "codebuild", created_at).body())
        self.objects.setdefault(places.in_list(uuid, created_at), b"")

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, **more: str) -> None:  # noqa: N803
        assert Bucket == self.bucket
        if more.get("IfNoneMatch") == "*" and Key in self.objects:
            error: Any = {"Error": {"Code": "PreconditionFailed", "Message": "it is there"}}
            raise ClientError(error, "PutObject")
        if "IfMatch" in more and (
            more["IfMatch"] != self.get_object(Bucket=Bucket, Key=Key)["ETag"]
        ):
            changed: Any = {"Error": {"Code": "PreconditionFailed", "Message": "it is another"}}
            raise ClientError(changed, "PutObject")
        self.objects[Key], self.more[Key], self.at[Key] = Body, more, self.now()

    def delete_objects(self, *, Bucket: str, Delete: Any) -> Any:  # noqa: N803
        assert Bucket == self.bucket
        for each in Delete["Objects"]:
            if (body := self.objects.pop(each["Key"], None)) is not None:
                self.deleted[each["Key"]] = body
        return {}


class Invokers:
    """The Lambda functions in front of the jobs of a cloud."""

    def __init__(self, cloud: BuildCloud) -> None:
        self._cloud = cloud

    def invoke(self, *, FunctionName: str, Payload: bytes, **_: Any) -> Any:  # noqa: N803 - boto3
        project = FunctionName.removesuffix("-invoker")
        app, stage, job = project.split("_", 2)
        placement = Placement(project, self._cloud.s3.bucket, place={"project": project})
        reader = Reader(
            Kept(lambda: self._cloud.s3, placement.bucket, f"{app}/{stage}/{job}"),
            lambda name: provider(name, self._cloud.client, placement.place),
            Deployment(app=app, stage=stage, job=job, project=project, compute="codebuild"),
        )
        starter = Starter(reader, reader.provider("codebuild"))
        there = deployed.Deployed(DeployedRuns(reader, starter=starter))
        context: Any = SimpleNamespace(aws_request_id="r")
        answer = invoker.answer(lambda: there, json.loads(Payload), context)
        return {"Payload": io.BytesIO(json.dumps(answer).encode())}

    exceptions = exceptions


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
        self.s3, self.logs = S3(), Logs()
        self.codebuild = CodeBuild(s3=self.s3)
        self.cloudformation = CloudFormation()
        self.clients: dict[str, Any] = {
            "cloudformation": self.cloudformation,
            "codebuild": self.codebuild,
            "lambda": Invokers(self),
            "logs": self.logs,
            "s3": self.s3,
        }

    def client(self, service: str) -> Any:
        return self.clients[service]

    def explained(self) -> AbstractContextManager[None]:
        return nullcontext()


def error(kind: str, message: str) -> str:
    return json.dumps({"type": kind, "message": message})
