from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from devbridge.emulator.inside import child

SERVING = """\
import importlib.util, os, signal, sys
spec = importlib.util.spec_from_file_location("child", sys.argv.pop(1))
child = importlib.util.module_from_spec(spec)
spec.loader.exec_module(child)
child.STOP_SECONDS = float(sys.argv.pop(1))
child._LOOK = 0.02
look = child._stays

def stays(state_file):
    answer = look(state_file)
    if answer:
        os.write(1, b"stays\\n")
    return answer

child._stays = stays

def serve(access_key, secret_key):
    if child.STOP_SECONDS < 1:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print(access_key, secret_key, flush=True)
    signal.pause()

def stop(*_):
    os.write(1, b"saved\\n")
    sys.exit()

signal.signal(signal.SIGTERM, stop)
child._serve = serve
child.main(*sys.argv[1:])
"""
"""Runs `child.main` with something in the place of ministack, which cannot be imported here."""


class Cloud:
    """A child that serves, and the lock of its only user."""

    def __init__(self, folder: Path, stop_seconds: float) -> None:
        self.folder = folder
        self.state, self.tmp = folder / "state.json", folder / "tmp"
        self.tmp.mkdir()
        self.state.write_text("{}")
        (folder / "key").write_text('{"access_key": "A", "secret_key": "S"}')
        self.users = os.open(folder / "users", os.O_RDWR | os.O_CREAT)
        fcntl.flock(self.users, fcntl.LOCK_SH)
        files = [str(folder / name) for name in ("state.json", "users", "tmp", "key")]
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVING, child.__file__, str(stop_seconds), *files],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        self.out = self.process.stdout
        assert self.out.readline() == "A S\n"

    def leave(self) -> None:
        os.close(self.users)


@pytest.fixture
def cloud(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Cloud]:
    made = Cloud(tmp_path, getattr(request, "param", 20.0))
    yield made
    if made.process.poll() is None:
        os.killpg(made.process.pid, signal.SIGKILL)
    made.process.wait()
    made.out.close()


def test_it_stops_with_its_last_user_and_leaves_no_temporary_file(cloud: Cloud) -> None:
    cloud.leave()
    assert cloud.out.read() == "saved\n"
    assert cloud.process.wait() == -signal.SIGKILL  # itself, with all of its group
    assert not cloud.tmp.exists()
    assert not cloud.state.exists()


@pytest.mark.parametrize("cloud", [0.05], indirect=True)
def test_it_is_killed_when_it_takes_too_long_to_stop(cloud: Cloud) -> None:
    cloud.leave()
    assert cloud.out.read() == ""
    assert cloud.process.wait() == -signal.SIGKILL
    assert not cloud.tmp.exists()


def test_told_to_stay_it_outlives_its_users_until_a_signal(cloud: Cloud) -> None:
    cloud.state.write_text(json.dumps({"detached": True, "pid": cloud.process.pid}))
    cloud.leave()
    assert [cloud.out.readline() for _ in range(3)] == ["stays\n"] * 3
    assert cloud.state.exists()
    cloud.process.terminate()
    assert "saved\n" in cloud.out.read()  # it may look for its state once more meanwhile


def test_told_to_stay_it_stops_when_nobody_can_find_it_any_more(cloud: Cloud) -> None:
    cloud.state.write_text(json.dumps({"detached": True, "pid": cloud.process.pid}))
    cloud.leave()
    assert cloud.out.readline() == "stays\n"
    cloud.state.unlink()
    assert cloud.out.read().endswith("saved\n")
    assert not cloud.tmp.exists()


@pytest.mark.parametrize(
    ("text", "stays"),
    [
        ('{"detached": true, "pid": PID}', True),
        ('{"detached": true, "pid": 1}', False),
        ('{"detached": false, "pid": PID}', False),
        ("{", False),
        ("[]", False),
        ("{}", False),
    ],
)
def test_only_the_state_of_this_very_process_lets_it_stay(
    tmp_path: Path, text: str, stays: bool
) -> None:
    state = tmp_path / "state.json"
    assert not child._stays(str(state))
    state.write_text(text.replace("PID", str(os.getpid())))
    assert child._stays(str(state)) is stays
