from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

import pytest

from devbridge.daemon import heartbeat
from devbridge.daemon.heartbeat import beat, last_seen, touch


async def test_a_daemon_is_seen_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark, twice = tmp_path / "alive", asyncio.Event()
    beats: list[Path] = []

    def touched(path: Path) -> None:
        touch(path)
        beats.append(path)
        if len(beats) == 2:
            twice.set()

    monkeypatch.setattr(heartbeat, "touch", touched)
    monkeypatch.setattr(heartbeat, "BEAT", 0.0)
    task = asyncio.create_task(beat(mark))
    await asyncio.wait_for(twice.wait(), 10)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert mark.stat().st_mode & 0o777 == 0o600


def test_the_newest_sign_of_life_counts(tmp_path: Path) -> None:
    marks = [tmp_path / name for name in ("a", "b", "c")]
    assert last_seen(*marks) is None
    for at, mark in enumerate(marks[:2], 100):
        mark.touch()
        os.utime(mark, (at, at))
    assert last_seen(*marks) == 101.0


def test_a_folder_that_has_gone_is_told_by_others(tmp_path: Path) -> None:
    touch(tmp_path / "gone" / "alive")
