from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from devbridge.emulator.inside.machines import metadata, roles
from devbridge.emulator.inside.machines.container import Container, Wanted
from devbridge.emulator.inside.machines.failure import Failure
from devbridge.emulator.inside.machines.runtimes import OWN
from devbridge.emulator.inside.machines.task import Asked, Room, Task
from tests.waiting import text_of

IMAGE = f"public.ecr.aws/docker/library/python:{OWN}-slim"


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Room:
    monkeypatch.setenv("GATEWAY_PORT", "1")
    return Room(roles.Register(), metadata.Register())


def made(room: Room, *scripts: str, **more: Any) -> Task:
    containers = [
        Wanted(str(n), IMAGE, ["sh", "-c", script], essential=n == 0, stop_timeout=5)
        for n, script in enumerate(scripts)
    ]
    return Task(Asked("arn:aws:ecs:r:1:task/c/t", "r", containers, **more), room)


def run(task: Task) -> dict[str, int]:
    ended: dict[str, int] = {}

    def on_end(container: Container) -> None:
        ended[container.wanted.name] = container.wait()

    try:
        task.prepare()
        task.start(lambda container: {"Name": container.wanted.name}, lambda: {"TaskARN": "t"})
        task.wait(on_end)
    finally:
        task.close()
    return ended


def test_the_others_are_stopped_when_an_essential_one_has_ended(room: Room, tmp_path: Path) -> None:
    mark = tmp_path / "a"
    first = f"while ! [ -e {mark} ]; do sleep 0.02; done; exit 4"
    other = f"trap 'exit 5' TERM; touch {mark}; while :; do sleep 0.02; done"
    assert run(made(room, first, other)) == {"0": 4, "1": 5}


def test_one_that_is_not_essential_may_end_before(room: Room, tmp_path: Path) -> None:
    mark = tmp_path / "a"
    first = f"while ! [ -e {mark} ]; do sleep 0.02; done; exit 4"
    assert run(made(room, first, f"touch {mark}; exit 3")) == {"0": 4, "1": 3}


def test_a_container_is_told_where_its_documents_are(room: Room, tmp_path: Path) -> None:
    mark = tmp_path / "a"
    run(made(room, f"echo $ECS_CONTAINER_METADATA_URI_V4 $X > {mark}", variables={"X": "y"}))
    url, more = text_of(mark).split()
    assert url.startswith(f"http://127.0.0.1:1{metadata.PATH}")
    assert more == "y"
    assert room.metadata.answer(urlsplit(url).path) is None, "it has ended"


def test_all_of_a_task_may_be_ended_at_once(room: Room) -> None:
    task = made(room, "trap '' TERM; sleep 1000", "sleep 1000")
    task.prepare()
    task.start(lambda _: {}, dict)
    assert len(task.pids) == 2
    task.end()
    assert [each.exit_code for each in task.containers] == [137, 137]
    assert task.pids == []
    task.close()


def test_a_role_that_cannot_be_assumed_is_said_as_ecs_says_it(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roles, "admits", lambda *_: False)
    task = made(room, "true", role_arn="arn:aws:iam::1:role/r")
    with pytest.raises(Failure, match="unable to assume the role 'arn:aws:iam::1:role/r' that was"):
        task.prepare()
    task.close()
