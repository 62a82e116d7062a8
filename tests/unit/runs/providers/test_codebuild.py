from __future__ import annotations

from typing import Any

import pytest

from devbridge.runs.model import State
from devbridge.runs.providers.base import Asked, Ended
from devbridge.runs.providers.codebuild import CodeBuild, ended
from tests.unit.codebuild import PROJECT, FakeCodeBuild

UUID = "0b1c2d3e-0000-4000-8000-000000000001"
RUN = f"{PROJECT}:{UUID}"
ASKED = Asked(RUN, UUID, {"DEVBRIDGE_PAYLOAD_KEY": "payloads/x"})


@pytest.fixture
def fake() -> FakeCodeBuild:
    return FakeCodeBuild()


def door(fake: FakeCodeBuild) -> CodeBuild:
    return CodeBuild({"codebuild": fake.client}.__getitem__, {"project": PROJECT})


def test_a_build_is_started_once_and_stopped(fake: FakeCodeBuild) -> None:
    place = door(fake).start(ASKED)
    assert place.startswith(f"{PROJECT}:")
    assert place != RUN
    assert door(fake).start(ASKED) == place
    assert door(fake).start(Asked(RUN, UUID, ASKED.payload, 1)) != place
    assert door(fake).look([place])[place].state is State.QUEUED
    door(fake).stop(place)
    look = door(fake).look([place])[place]
    assert (look.state, look.told) == (State.CANCELLED, True)


def test_what_codebuild_has_forgotten_is_not_there(fake: FakeCodeBuild) -> None:
    there = fake.add()["id"]
    assert list(door(fake).look([RUN, there])) == [there]
    assert door(fake).look([]) == {}
    assert fake.calls == ["BatchGetBuilds"]
    for unknown in (RUN, UUID, "x"):
        assert door(fake).older(unknown) is None


def test_a_build_tells_all_that_is_known_of_its_run(fake: FakeCodeBuild) -> None:
    variables = [
        {"name": "DEVBRIDGE_STATE", "value": "FAILED"},
        {"name": "DEVBRIDGE_ATTEMPT", "value": "2"},
        {"name": "DEVBRIDGE_ERROR", "value": '{"type": "KeyError", "at": "results/e"}'},
    ]
    logs = {"groupName": "g", "streamName": "s"}
    build = fake.add("FAILED", exportedEnvironmentVariables=variables, logs=logs)
    look = door(fake).look([build["id"]])[build["id"]]
    assert (look.state, look.told, look.attempt) == (State.FAILED, True, 2)
    assert (look.error_at, look.logs) == ("results/e", (("g", "s"),))
    assert not look.infrastructure


def event(**detail: Any) -> dict[str, Any]:
    variables = [{"name": "DEVBRIDGE_RUN_ID", "value": RUN, "type": "PLAINTEXT"}]
    return {
        "source": "aws.codebuild",
        "detail-type": "CodeBuild Build State Change",
        "detail": {
            "build-status": "FAILED",
            "build-id": f"arn:aws:codebuild:eu-west-1:111122223333:build/{PROJECT}:b-1",
            "project-name": PROJECT,
            "additional-information": {"environment": {"environment-variables": variables}},
            **detail,
        },
    }


def test_an_event_names_the_run_and_the_build_and_the_build_is_to_be_asked() -> None:
    assert ended(event()) == Ended(UUID, f"{PROJECT}:b-1", None)


@pytest.mark.parametrize(
    "other",
    [
        event(**{"build-status": "IN_PROGRESS"}),
        event(**{"additional-information": {}}),
        {"source": "aws.batch", "detail": {}},
        {},
    ],
)
def test_what_is_no_end_of_a_run_is_nothing(other: dict[str, Any]) -> None:
    assert ended(other) is None
