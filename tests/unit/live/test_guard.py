"""What is still read when `devbridge dev` was killed is not read any more soon after."""

from __future__ import annotations

import io
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from devbridge.cloud import session
from devbridge.config import Config
from devbridge.emulator.users import unused
from devbridge.live import guard as module
from devbridge.live.guard import Guard, Read, disable, main
from devbridge.runs.lock import only_one
from tests.waiting import eventually, gone

ENDPOINT = "http://127.0.0.1:1"
DEAD = 2**22 + 1
"""The number of no process: Linux's are at most 2**22."""


class Cloud:
    """Stands for the cloud that a guard connects to."""

    def __init__(self) -> None:
        self.disabled: list[str] = []
        self.asked: list[tuple[Config, str | None]] = []

    def connect(self, config: Config, endpoint_url: str | None) -> Cloud:
        self.asked.append((config, endpoint_url))
        return self

    def client(self, _service: str) -> Cloud:
        return self

    def update_event_source_mapping(self, *, UUID: str, Enabled: bool) -> None:  # noqa: N803
        assert not Enabled
        self.disabled.append(UUID)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    found = Cloud()
    monkeypatch.setattr(session, "connect", found.connect)
    return found


@pytest.fixture
def config(tmp_path: Path) -> Config:
    config = Config(root=tmp_path, stage="dev", local=True, python=Path(sys.executable))
    config.make_dirs()
    return config


def process_of(guard: Guard) -> subprocess.Popen[bytes]:
    assert guard._process is not None
    return guard._process


def test_it_has_a_session_of_its_own_and_ends_when_it_is_released(config: Config) -> None:
    guard = Guard(config, ENDPOINT)
    guard.watch([])
    assert guard._process is None  # there is nothing to guard
    guard.watch(["one"])
    process = process_of(guard)
    assert os.getsid(process.pid) == process.pid
    guard.watch(["one", "two"])
    assert process_of(guard) is process
    guard.release()
    assert process.returncode == 0
    guard.release()


def test_one_that_was_killed_is_of_no_consequence(config: Config) -> None:
    guard = Guard(config, ENDPOINT)
    guard.watch(["one"])
    process = process_of(guard)
    process.kill()
    process.wait()
    guard.watch(["two"])
    guard.release()


def test_one_whose_devbridge_dev_has_gone_before_it_was_heard_does_its_work(
    cloud: Cloud, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(**_: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("builtins.print", gone)
    _main(monkeypatch, pickle.dumps(Read(config, ENDPOINT, DEAD, ("one",))))
    assert cloud.disabled == ["one"]


def test_it_ends_with_whom_it_guards_however_that_ends(tmp_path: Path) -> None:
    script = f"""\
import sys
from pathlib import Path
from devbridge.config import Config
from devbridge.live.guard import Guard
root = Path({str(tmp_path)!r})
guard = Guard(Config(root=root, stage="dev", local=True, python=Path(sys.executable)), None)
guard.watch(["one"])
guard.watch([])
print(guard._process.pid, flush=True)
sys.stdin.read()
"""
    killed = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert killed.stdout is not None
    pid = int(killed.stdout.readline())
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    eventually(lambda: gone(pid))


def _main(monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    stdin: Any = SimpleNamespace(buffer=io.BytesIO(said))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert main() == 0


def test_what_it_was_told_last_is_disabled(
    cloud: Cloud, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = pickle.dumps(Read(config, ENDPOINT, DEAD, ("one",)))
    second = pickle.dumps(Read(config, ENDPOINT, DEAD, ("one", "two")))
    _main(monkeypatch, first + second + first[:-3])  # who tells it is killed in between
    assert cloud.disabled == ["one", "two"]
    assert cloud.asked == [(config, ENDPOINT)]


def test_where_nothing_is_left_to_do_no_cloud_is_asked(
    cloud: Cloud, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = pickle.dumps(Read(config, ENDPOINT, DEAD, ("one",)))
    _main(monkeypatch, first + pickle.dumps(Read(config, ENDPOINT, DEAD, ())))
    _main(monkeypatch, b"")
    assert cloud.asked == []


def test_the_next_devbridge_dev_goes_on_reading(cloud: Cloud, config: Config) -> None:
    lock = config.lock
    with only_one(lock, "dev"):
        disable(Read(config, ENDPOINT, DEAD, ("one",)))
    assert cloud.disabled == []
    # One that was killed is there for as long as its parent has not asked how it has ended.
    lock.write_text(f"{os.getpid()}\n")
    disable(Read(config, ENDPOINT, os.getpid(), ("one",)))
    assert cloud.disabled == ["one"]


def test_the_embedded_cloud_stays_as_long_as_it_does(config: Config) -> None:
    guard = Guard(config, ENDPOINT)
    guard.watch(["one"])
    eventually(lambda: not _is_unused(config))
    guard.release()
    assert _is_unused(config)


def _is_unused(config: Config) -> bool:
    if (lock := unused(config.cloud_dir)) is None:
        return False
    os.close(lock)
    return True


def test_without_a_process_for_it_all_goes_on(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused() -> None:
        raise OSError("no more processes")

    monkeypatch.setattr(module, "_start", refused)
    guard = Guard(config, ENDPOINT)
    guard.watch(["one"])
    guard.release()
