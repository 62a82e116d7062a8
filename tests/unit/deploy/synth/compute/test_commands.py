"""The script that runs a container's command, as a shell runs it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

from devbridge.deploy.synth.compute.commands import TIMED_OUT, container_script


def code(*cmd: str, delays: tuple[float, ...] = (), timeout: float = 60) -> int:
    script = container_script(cmd, delays, timeout, grace=0.2)
    started = subprocess.Popen(["/bin/sh", "-c", script], start_new_session=True)
    try:
        return started.wait(30)
    finally:
        killed(started)


def killed(started: subprocess.Popen[bytes]) -> None:
    """What it has left running: the clocks of attempts that are over."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(started.pid, signal.SIGKILL)


def stopped(started: subprocess.Popen[bytes], ready: Path) -> int:
    """The exit code of one that is told to stop once its command is ready."""
    try:
        while not ready.exists():
            time.sleep(0.01)
        time.sleep(0.1)
        started.terminate()
        return started.wait(30)
    finally:
        killed(started)


def test_a_command_gets_its_words_as_they_are() -> None:
    assert code("test", "a b $HOME", "=", "a b $HOME") == 0


def test_its_exit_code_is_that_of_the_last_attempt() -> None:
    assert code("sh", "-c", "exit 3") == 3
    assert code("sh", "-c", 'exit "$DEVBRIDGE_ATTEMPT"', delays=(0.01, 0.01)) == 3


def test_it_knows_which_attempt_it_is_and_how_many_there_are() -> None:
    told = 'exit "$DEVBRIDGE_ATTEMPT$DEVBRIDGE_MAX_ATTEMPTS"'
    assert code("sh", "-c", told, delays=(0.01,)) == 22
    assert code("sh", "-c", told) == 11


def test_one_that_succeeds_at_last_has_succeeded() -> None:
    assert code("sh", "-c", '[ "$DEVBRIDGE_ATTEMPT" = 2 ]', delays=(0.01, 60.0)) == 0


def test_one_that_takes_too_long_is_ended_in_the_end_by_force() -> None:
    assert code("sleep", "60", timeout=0.2) == TIMED_OUT
    assert code("sh", "-c", "trap '' TERM; sleep 60 & wait; sleep 60", timeout=0.2) == TIMED_OUT


def test_a_signal_to_stop_is_handed_on_and_nothing_is_tried_again(tmp_path: Path) -> None:
    handler = "trap 'exit 9' TERM; touch ready; while :; do sleep 0.02; done"
    script = container_script(["sh", "-c", handler], (0.01,), 60)
    started = subprocess.Popen(["/bin/sh", "-c", script], cwd=tmp_path, start_new_session=True)
    assert stopped(started, tmp_path / "ready") == 9


def test_a_signal_to_stop_between_two_attempts_ends_the_waiting(tmp_path: Path) -> None:
    script = container_script(["sh", "-c", "touch ready; exit 4"], (600.0,), 60)
    started = subprocess.Popen(["/bin/sh", "-c", script], cwd=tmp_path, start_new_session=True)
    assert stopped(started, tmp_path / "ready") == 4
