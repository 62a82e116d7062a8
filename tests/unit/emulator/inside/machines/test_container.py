from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from devbridge.emulator.inside.machines import clients, volumes
from devbridge.emulator.inside.machines.container import Container, Wanted
from devbridge.emulator.inside.machines.failure import Failure
from devbridge.emulator.inside.machines.runtimes import OWN
from tests.waiting import eventually, gone, text_of

IMAGE = f"public.ecr.aws/docker/library/python:{OWN}-slim"


class Logs:
    """A log group that is there, and what was written to it."""

    exceptions = SimpleNamespace(ResourceAlreadyExistsException=KeyError)

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.made: list[str] = []

    def create_log_group(self, **_: Any) -> None:
        raise KeyError

    def create_log_stream(self, **asked: str) -> None:
        self.made.append(asked["logStreamName"])

    def put_log_events(self, **asked: Any) -> None:
        self.lines += [each["message"] for each in asked["logEvents"]]


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> Logs:
    made = Logs()
    monkeypatch.setenv("GATEWAY_PORT", "1")
    monkeypatch.setattr(clients, "client", lambda service, region, keys: made)
    return made


EXECUTION: Any = SimpleNamespace(keys={}, token="t")


def ran(wanted: Wanted, tmp_path: Path) -> int:
    made = Container(wanted)
    try:
        made.prepare("eu-west-1", None, EXECUTION, ())
        made.start({"MORE": "m"})
        return made.wait()
    finally:
        made.close()


def wanted(*command: str, **more: Any) -> Wanted:
    return Wanted(**{"name": "a", "image": IMAGE, "command": command, "log": ("g", "s"), **more})


def test_a_container_has_its_variables_and_its_log(logs: Logs, tmp_path: Path) -> None:
    script = "import os; print(os.environ['A'], os.environ['MORE']); print(); print(os.getcwd())"
    code = ran(wanted("python3", "-c", script, environment={"A": "1"}, makes_group=True), tmp_path)
    assert (code, logs.made) == (0, ["s"])
    first, cwd = logs.lines
    assert first == "1 m"
    assert not Path(cwd).exists()


def test_a_mount_is_where_variables_and_words_lead(
    logs: Logs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(volumes, "mounted", lambda *_: {"/mnt/a": tmp_path})
    script = "import os, sys; open(os.environ['A'] + '/x', 'w').write(sys.argv[1])"
    made = wanted("python3", "-c", script, "/mnt/a/y", environment={"A": "/mnt/a"})
    assert ran(made, tmp_path) == 0
    assert (tmp_path / "x").read_text() == f"{tmp_path}/y"


def test_a_signal_is_an_exit_code(logs: Logs, tmp_path: Path) -> None:
    assert ran(wanted("sh", "-c", "kill -9 $$"), tmp_path) == 137


def test_a_container_that_was_killed_has_its_exit_code_before_its_log_is_closed(
    logs: Logs,
) -> None:
    made = Container(wanted("sleep", "1000"))
    made.prepare("eu-west-1", None, EXECUTION, ())
    made.reap(0)
    made.start({})
    made.reap(0.01)
    assert made.exit_code is None
    made.kill()
    made.reap(20)
    assert made.exit_code == 137
    made.close()


def test_what_the_first_process_leaves_behind_ends_with_it(logs: Logs, tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    assert ran(wanted("sh", "-c", f"sleep 1000 & echo $! > {mark}"), tmp_path) == 0
    eventually(lambda: gone(int(text_of(mark))))


def test_lambda_s_images_have_their_own_entry_point(logs: Logs, tmp_path: Path) -> None:
    image = f"public.ecr.aws/lambda/python:{OWN}"
    assert ran(wanted("python3", "x.py", image=image), tmp_path) == 142
    assert logs.lines == ["entrypoint requires the handler name to be the first argument"]
    own = wanted("-c", "import boto3", image=image, entry_point=["python3"])
    assert ran(own, tmp_path) == 0


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"command": ["no-such"]}, 'CannotStartContainerError: exec: "no-such": executable file'),
        ({"image": "x:1"}, "CannotPullContainerError: containers do not run"),
    ],
)
def test_what_cannot_start_says_why(more: Any, words: str, logs: Logs, tmp_path: Path) -> None:
    with pytest.raises(Failure, match=words):
        ran(wanted(**more), tmp_path)


def test_secrets_and_logs_need_an_execution_role(logs: Logs) -> None:
    for made in (wanted(secrets={"A": "/a"}), wanted()):
        here = Container(made)
        with pytest.raises(Failure, match=r"ResourceInitializationError: .* execution role"):
            here.prepare("eu-west-1", None, None, ())
        here.close()


def test_a_container_that_was_ended_before_it_began_does_not_begin(logs: Logs) -> None:
    made = Container(wanted(sys.executable))
    made.prepare("eu-west-1", None, EXECUTION, ())
    made.terminate()
    made.start({})
    assert made.wait() == 137
    made.close()
