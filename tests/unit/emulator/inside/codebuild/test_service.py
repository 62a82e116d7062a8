from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from devbridge.emulator.inside.codebuild import service
from devbridge.emulator.inside.codebuild.builds import Build
from devbridge.emulator.inside.codebuild.service import Service, keep_properties
from devbridge.emulator.inside.machines.roles import Register
from tests.unit.emulator.inside.conftest import MakeModule

PROJECT = {
    "name": "p",
    "source": {"type": "NO_SOURCE", "buildspec": "x"},
    "environment": {"type": "T", "image": "i", "computeType": "C"},
    "artifacts": {"type": "NO_ARTIFACTS"},
    "serviceRole": "r",
}


class World:
    """The modules of ministack that know projects, and a build that runs until it is told."""

    def __init__(self, ministack: MakeModule) -> None:
        self.calls: list[str] = []
        self.asked: list[str] = []
        self.release = threading.Event()
        self.codebuild = ministack(
            "services.codebuild",
            _projects={"p": dict(PROJECT)},
            _builds={},
            _project_shape=lambda project: {"name": project["name"]},
            get_state=lambda: self.calls.append("get_state") or "state",  # type: ignore[func-returns-value]
            reset=lambda: self.calls.append("reset"),
            handle_request=self.handle_request,
        )
        ministack(
            "core.responses", get_region=lambda: "eu-west-1", get_account_id=lambda: "123456789012"
        )
        ministack("core.iam_evaluator", caller_arn=lambda: "arn:aws:iam::123456789012:user/ann")
        ministack("app", _get_module=lambda name: self.codebuild)

    async def handle_request(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, query: Any
    ) -> service.Answer:
        self.asked.append(headers["x-amz-target"])
        return 200, {}, b'{"project": {}}'

    def run(self, build: Build, register: Any) -> None:
        build.on_end(self.release.set)
        assert self.release.wait(30)
        build.complete("SUCCEEDED")


@pytest.fixture
def world(ministack: MakeModule, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World(ministack)
    monkeypatch.setattr(service, "run", made.run)
    yield made
    made.release.set()
    for thread in threading.enumerate():  # a build that begins late is not the next test's
        if thread.name == "codebuild":
            thread.join(30)


async def ask(here: Service, action: str, request: Any) -> tuple[int, Any]:
    body = request if isinstance(request, bytes) else json.dumps(request).encode()
    headers = {"x-amz-target": f"CodeBuild_20161006.{action}"}
    status, sent, answer = await here.handle_request("POST", "/", headers, body, {})
    content = json.loads(answer)
    if status != 200:
        assert sent["x-amzn-errortype"] == content["__type"]
    return status, content


async def test_a_build_is_started_by_who_asks_and_found_until_it_has_ended(world: World) -> None:
    here = Service(Register())
    status, started = await ask(here, "StartBuild", {"projectName": "p"})
    assert (status, started["build"]["initiator"]) == (200, "ann")
    assert started["build"]["arn"].startswith("arn:aws:codebuild:eu-west-1:123456789012:build/p:")
    _, found = await ask(here, "BatchGetBuilds", {"ids": [started["build"]["id"]]})
    assert found["builds"][0]["id"] == started["build"]["id"]
    world.release.set()
    assert world.asked == []


async def test_what_is_refused_is_an_error_of_aws(world: World) -> None:
    here = Service(Register())
    status, answer = await ask(here, "StartBuild", {"projectName": "none"})
    assert (status, answer["__type"]) == (400, "ResourceNotFoundException")
    status, answer = await ask(here, "StartBuild", b"{")
    assert (status, answer["__type"]) == (400, "SerializationException")


async def test_projects_are_ministacks_and_keep_what_it_would_forget(world: World) -> None:
    here = Service(Register())
    here.end_with_ministack()
    logs = {"cloudWatchLogs": {"status": "DISABLED"}}
    given = {"name": "p", "logsConfig": logs, "concurrentBuildLimit": 3, "description": "x"}
    _, answer = await ask(here, "UpdateProject", given)
    assert answer["project"] == {"name": "p", "logsConfig": logs, "concurrentBuildLimit": 3}
    assert "description" not in world.codebuild._projects["p"]
    await ask(here, "ListProjects", {})
    assert [each.rpartition(".")[2] for each in world.asked] == ["UpdateProject", "ListProjects"]


@pytest.mark.parametrize(
    ("end", "call", "answer"), [("get_state", "get_state", "state"), ("reset", "reset", None)]
)
async def test_builds_end_before_ministack_saves_or_forgets_them(
    world: World, end: str, call: str, answer: Any
) -> None:
    here = Service(Register())
    here.end_with_ministack()
    _, started = await ask(here, "StartBuild", {"projectName": "p"})
    record = world.codebuild._builds[started["build"]["id"]]
    assert getattr(world.codebuild, end)() == answer
    assert record["buildStatus"] == "FAULT", "nobody has stopped this build"
    assert world.calls == [call]


def test_a_templates_project_has_all_of_its_properties_after_each_update(world: World) -> None:
    handlers: dict[str, Any] = {
        "create": lambda title, properties, stack: ("p", {}),
        "update": lambda physical, old, new, stack: (physical, {}),
    }
    keep_properties(
        SimpleNamespace(
            _RESOURCE_HANDLERS={"AWS::CodeBuild::Project": handlers},
            _pascal_to_camel=lambda value: value,
        )
    )
    project = world.codebuild._projects["p"]
    handlers["create"]("P", {"QueuedTimeoutInMinutes": "30", "SourceVersion": "v1"}, "stack")
    assert (project["queuedTimeoutInMinutes"], project["sourceVersion"]) == (30, "v1")
    handlers["update"]("p", {}, {"ConcurrentBuildLimit": 2}, "stack")
    assert project["concurrentBuildLimit"] == 2
    assert not {"queuedTimeoutInMinutes", "sourceVersion"} & project.keys()
