"""CodeBuild's operations on builds. Answers are JSON; errors are `Refused`."""

from __future__ import annotations

import json
import math
import threading
import time
import uuid
from collections.abc import Callable, MutableMapping
from typing import Final, Protocol

from ..machines.pace import minute
from . import records
from .builds import Build
from .records import Json

PAGE: Final = 100
"""Ids that a list has at most, and that a batch operation takes."""
TOKEN_MINUTES: Final = 5
"""How long an idempotency token is remembered."""
_VARIABLES: Final = ("PLAINTEXT", "PARAMETER_STORE", "SECRETS_MANAGER")
_RANGES: Final = {
    "timeoutInMinutesOverride": (5, 2160),
    "queuedTimeoutInMinutesOverride": (5, 480),
}


class Refused(Exception):
    """CodeBuild's answer is an error: its code and message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class World(Protocol):
    """What the operations need of where they run. All is of the caller's account and region."""

    region: str
    account: str
    initiator: str
    projects: MutableMapping[str, Json]
    builds: MutableMapping[str, Json]

    def find(self, build_id: str) -> Build | None:
        """The build of that id if it has not ended."""

    def start(self, build: Build) -> None:
        """Let the build wait for its turn, and run."""


class Tokens:
    """Idempotency tokens, with what was asked with them."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._known: dict[tuple[str, ...], tuple[float, str, str]] = {}

    def started(self, key: tuple[str, ...], request: str) -> str | None:
        """The id of the build that was started with the token. Raises Refused on a mismatch."""
        now = self._now()
        self._known = {k: value for k, value in self._known.items() if value[0] > now}
        _, asked, build_id = self._known.get(key, (0.0, "", None))
        if build_id and asked != request:
            raise Refused(
                "InvalidInputException",
                "Idempotency token was used with other parameters: parameter mismatch",
            )
        return build_id

    def remember(self, key: tuple[str, ...], request: str, build_id: str) -> None:
        """Note which build was started with the token, for `TOKEN_MINUTES`."""
        self._known[key] = (self._now() + TOKEN_MINUTES * minute(), request, build_id)

    def clear(self) -> None:
        """Forget all of them."""
        self._known.clear()


class Api:
    """The operations, by their names."""

    def __init__(self, tokens: Tokens, now: Callable[[], float] = time.time) -> None:
        self._tokens = tokens
        self._now = now
        self._starting = threading.Lock()
        self.operations: dict[str, Callable[[World, Json], Json]] = {
            "StartBuild": self.start_build,
            "StopBuild": self.stop_build,
            "BatchGetBuilds": self.batch_get_builds,
            "BatchDeleteBuilds": self.batch_delete_builds,
            "ListBuilds": self.list_builds,
            "ListBuildsForProject": self.list_builds_for_project,
        }

    def start_build(self, world: World, request: Json) -> Json:
        """StartBuild; the same token gives the same build. Raises Refused."""
        project = self._project(world, request)
        _check(request)
        with self._starting:
            token = request.get("idempotencyToken")
            key = (world.account, world.region, project["name"], str(token))
            asked = json.dumps(request, sort_keys=True)
            if token and (known := self._tokens.started(key, asked)) and known in world.builds:
                return {"build": _record(world, known)}
            build = Build(self._new(world, project, request))
            world.builds[build.record["id"]] = build.record
            if token:
                self._tokens.remember(key, asked, build.record["id"])
            snapshot = build.snapshot()
            world.start(build)
        return {"build": snapshot}

    def _new(self, world: World, project: Json, request: Json) -> Json:
        name = project["name"]
        before = [each for each in world.builds.values() if each["projectName"] == name]
        limit = project.get("concurrentBuildLimit")
        if limit and sum(not each.get("buildComplete") for each in before) >= int(limit):
            raise Refused(
                "AccountLimitExceededException",
                f"Cannot have more than {limit} active builds for the project",
            )
        build_id = f"{name}:{uuid.uuid4()}"
        return records.new_build(
            project,
            request,
            build_id=build_id,
            arn=f"arn:aws:codebuild:{world.region}:{world.account}:build/{build_id}",
            number=max((each.get("buildNumber", 0) for each in before), default=0) + 1,
            initiator=world.initiator,
            now=math.floor(self._now() * 1000) / 1000,  # up, it would begin after its first phase
        )

    def stop_build(self, world: World, request: Json) -> Json:
        """StopBuild, also of one that has ended. Raises Refused: there is no such build."""
        build_id = _id_of(request.get("id"))
        if build_id not in world.builds:
            raise Refused("ResourceNotFoundException", f"Build {build_id} does not exist")
        build = world.find(build_id)
        if build:
            build.end(records.STOPPED)
        return {"build": _record(world, build_id)}

    def batch_get_builds(self, world: World, request: Json) -> Json:
        """BatchGetBuilds, by ids or ARNs. Raises Refused: too many, or none."""
        found, missing = [], []
        for asked in _batch(request):
            build_id = _id_of(asked)
            if build_id in world.builds:
                found.append(_record(world, build_id))
            else:
                missing.append(asked)
        return {"builds": found, "buildsNotFound": missing}

    def batch_delete_builds(self, world: World, request: Json) -> Json:
        """BatchDeleteBuilds: those that have ended. Raises Refused: too many, or none."""
        deleted, kept = [], []
        for asked in _batch(request):
            record = world.builds.get(_id_of(asked))
            if record is None:
                kept.append({"id": asked, "statusCode": "BUILD_NOT_FOUND"})
            elif not record.get("buildComplete"):
                kept.append({"id": asked, "statusCode": "BUILD_IN_PROGRESS"})
            else:
                deleted.append(record["arn"])
                world.builds.pop(record["id"])
        return {"buildsDeleted": deleted, "buildsNotDeleted": kept}

    def list_builds(self, world: World, request: Json) -> Json:
        """ListBuilds, a page of ids. Raises Refused: the token is of no page."""
        return _page(list(world.builds.values()), request)

    def list_builds_for_project(self, world: World, request: Json) -> Json:
        """ListBuildsForProject, as `list_builds`. Raises Refused: there is no such project."""
        name = self._project(world, request)["name"]
        own = [each for each in world.builds.values() if each["projectName"] == name]
        return _page(own, request)

    @staticmethod
    def _project(world: World, request: Json) -> Json:
        name = str(request.get("projectName") or "").rpartition(":project/")[2]
        if not name:
            raise Refused("InvalidInputException", "Invalid project name: project name is empty")
        project = world.projects.get(name)
        if project is None:
            arn = f"arn:aws:codebuild:{world.region}:{world.account}:project/{name}"
            raise Refused("ResourceNotFoundException", f"Project cannot be found: {arn}")
        return project


def _check(request: Json) -> None:
    """Raises Refused: a value is none that CodeBuild takes."""
    for name, (low, high) in _RANGES.items():
        value = request.get(name)
        if value is not None and not (type(value) is int and low <= value <= high):
            raise Refused(
                "InvalidInputException", f"Invalid {name}: it must be from {low} to {high}"
            )
    for each in request.get("environmentVariablesOverride") or ():
        name, kind = each.get("name"), each.get("type", "PLAINTEXT")
        if not name or not isinstance(each.get("value"), str) or kind not in _VARIABLES:
            raise Refused(
                "InvalidInputException",
                f"Invalid environment variable {name!r}: it must have a name, a value, and one of"
                f" the types {', '.join(_VARIABLES)}",
            )


def _record(world: World, build_id: str) -> Json:
    build = world.find(build_id)
    return build.snapshot() if build else world.builds[build_id]


def _id_of(asked: object) -> str:
    """The id in an id or an ARN."""
    return str(asked or "").rpartition("build/")[2]


def _batch(request: Json) -> list[str]:
    ids = request.get("ids") or []
    if not 1 <= len(ids) <= PAGE:
        raise Refused("InvalidInputException", f"ids must have 1 to {PAGE} items")
    return [str(each) for each in ids]


def _page(found: list[Json], request: Json) -> Json:
    """Ids in order of their start. A page begins after the id that the token names."""
    descending = request.get("sortOrder", "DESCENDING") == "DESCENDING"
    found.sort(key=lambda each: (each["startTime"], each.get("buildNumber", 0)), reverse=descending)
    ids = [each["id"] for each in found]
    start = 0
    if token := request.get("nextToken"):
        if token not in ids:
            raise Refused("InvalidInputException", "Invalid nextToken")
        start = ids.index(token) + 1
    page = ids[start : start + PAGE]
    return {"ids": page} | ({"nextToken": page[-1]} if len(ids) > start + PAGE else {})
