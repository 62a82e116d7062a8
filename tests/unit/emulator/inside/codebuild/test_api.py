from __future__ import annotations

import itertools
from collections.abc import MutableMapping
from typing import Any

import pytest

from devbridge.emulator.inside.codebuild.api import PAGE, Api, Refused, Tokens
from devbridge.emulator.inside.codebuild.builds import Build
from devbridge.emulator.inside.codebuild.records import Json
from devbridge.emulator.inside.machines.failure import Ended, Failure

PROJECT: dict[str, Any] = {
    "name": "p",
    "source": {"type": "NO_SOURCE", "buildspec": "x"},
    "environment": {"type": "T", "image": "i", "computeType": "C"},
    "artifacts": {"type": "NO_ARTIFACTS"},
    "serviceRole": "r",
}


class World:
    region = "eu-west-1"
    account = "123456789012"
    initiator = "ann"

    def __init__(self) -> None:
        self.projects: MutableMapping[str, Json] = {"p": dict(PROJECT)}
        self.builds: MutableMapping[str, Json] = {}
        self.started: dict[str, Build] = {}

    def find(self, build_id: str) -> Build | None:
        return self.started.get(build_id)

    def start(self, build: Build) -> None:
        self.started[build.record["id"]] = build


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def api() -> Api:
    ticks = itertools.count(1000)
    return Api(Tokens(), now=lambda: float(next(ticks)))


def test_lists_have_pages_of_a_hundred_in_both_orders(api: Api, world: World) -> None:
    ids = [api.start_build(world, {"projectName": "p"})["build"]["id"] for _ in range(250)]

    def all_pages(order: str) -> list[str]:
        found: list[str] = []
        token: dict[str, str] = {}
        while True:
            answer = api.list_builds_for_project(
                world, {"projectName": "p", "sortOrder": order, **token}
            )
            assert len(answer["ids"]) <= PAGE
            found += answer["ids"]
            if "nextToken" not in answer:
                return found
            token = {"nextToken": answer["nextToken"]}
            world.projects["p"]["x"] = 1  # what happens between two pages does no harm

    assert all_pages("ASCENDING") == ids
    assert all_pages("DESCENDING") == ids[::-1]
    with pytest.raises(Refused):
        api.list_builds(world, {"nextToken": "no"})


def test_a_token_is_forgotten_after_five_minutes(world: World) -> None:
    now = 0.0
    api = Api(Tokens(lambda: now))
    request = {"projectName": "p", "idempotencyToken": "t"}
    first = api.start_build(world, request)["build"]["id"]
    now = 299
    assert api.start_build(world, request)["build"]["id"] == first
    now = 301
    assert api.start_build(world, request)["build"]["id"] != first


@pytest.mark.parametrize(
    "request_",
    [
        {"environmentVariablesOverride": [{"name": "A", "value": "a", "type": "BOGUS"}]},
        {"environmentVariablesOverride": [{"value": "a"}]},
        {"environmentVariablesOverride": [{"name": "", "value": "a"}]},
        {"environmentVariablesOverride": [{"name": "A"}]},
        {"timeoutInMinutesOverride": "10"},
        {"queuedTimeoutInMinutesOverride": 10.5},
    ],
)
def test_what_codebuild_does_not_take_is_refused(
    api: Api, world: World, request_: dict[str, Any]
) -> None:
    with pytest.raises(Refused) as caught:
        api.start_build(world, {"projectName": "p", **request_})
    assert caught.value.code == "InvalidInputException"
    assert world.builds == {}


def test_a_build_ends_only_once(api: Api, world: World) -> None:
    api.start_build(world, {"projectName": "p"})
    (build,) = world.started.values()
    ended: list[str] = []
    build.on_end(lambda: ended.append("before"))
    assert build.end("STOPPED")
    assert not build.end("TIMED_OUT")
    build.complete("SUCCEEDED")
    build.on_end(lambda: ended.append("after"))
    assert ended == ["before", "after"]
    assert build.record["buildStatus"] == "STOPPED"
    with pytest.raises(Ended), build.phase("PROVISIONING"):
        pass


def test_a_failure_is_the_context_of_its_phase(api: Api, world: World) -> None:
    api.start_build(world, {"projectName": "p"})
    (build,) = world.started.values()
    with pytest.raises(Failure), build.phase("PROVISIONING"):
        raise Failure("CODE", "words")
    phase = build.record["phases"][-1]
    assert phase["phaseStatus"] == "FAILED"
    assert phase["contexts"] == [{"statusCode": "CODE", "message": "words"}]


def test_a_build_begins_before_its_first_phase_ends(world: World) -> None:
    api = Api(Tokens(), now=lambda: 1000.0009)
    first = api.start_build(world, {"projectName": "p"})["build"]["phases"][0]
    assert first["startTime"] <= 1000.0009
    assert first["startTime"] == 1000.0
