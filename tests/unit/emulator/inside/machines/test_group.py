from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from devbridge.emulator.inside.machines.group import Group
from tests.waiting import eventually, gone, text_of


@pytest.fixture
def group() -> Iterator[Group]:
    made = Group()
    yield made
    made.close()


def start(group: Group, script: str) -> subprocess.Popen[bytes]:
    environment = {"PATH": os.environ["PATH"]}
    process = group.start(["/bin/sh", "-c", script], cwd="/", environment=environment, output=1)
    assert process
    return process


def test_one_process_may_get_the_notice_and_all_get_the_end(group: Group, tmp_path: Path) -> None:
    marks = [tmp_path / "a", tmp_path / "b"]
    first, second = (
        start(group, f"trap 'exit 7' TERM; echo $$ > {mark}; while :; do sleep 0.02; done")
        for mark in marks
    )
    for mark in marks:
        text_of(mark)
    group.terminate(1, only=first)
    assert first.wait(20) == 7
    assert second.wait(20) == -9
    assert group.start(["true"], cwd="/", environment={}, output=1) is None


def test_there_is_no_notice_for_what_is_killed(group: Group, tmp_path: Path) -> None:
    mark = tmp_path / "a"
    process = start(group, f"trap '' TERM; echo $$ > {mark}; sleep 1000")
    text_of(mark)
    group.terminate(1000)
    group.kill()
    assert process.wait(20) == -9
    began = time.monotonic()
    group.close()
    assert time.monotonic() - began < 20


def test_what_a_process_has_left_behind_ends_with_close(group: Group, tmp_path: Path) -> None:
    mark = tmp_path / "a"
    assert start(group, f"sleep 1000 & echo $! > {mark}").wait(20) == 0
    group.close()
    eventually(lambda: gone(int(text_of(mark))))
