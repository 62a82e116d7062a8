from __future__ import annotations

import errno
import os
import resource
from pathlib import Path

import pytest

from devbridge.workers import rlimits
from devbridge.workers.rlimits import (
    HEADROOM,
    OF_A_START,
    RUNNER,
    is_short,
    raise_files,
    require_room,
    runner_command,
)

INFINITE = resource.RLIM_INFINITY


class System:
    """A soft and a hard limit, and what the system refuses to set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.limit = (256, 4096)
        self.most = INFINITE
        monkeypatch.setattr(rlimits, "_original", None)
        monkeypatch.setattr(resource, "getrlimit", lambda kind: self.limit)
        monkeypatch.setattr(resource, "setrlimit", self._set)

    def _set(self, kind: int, wanted: tuple[int, int]) -> None:
        assert kind == resource.RLIMIT_NOFILE
        if self.most != INFINITE and not 0 <= wanted[0] <= self.most:
            raise ValueError("current limit exceeds maximum limit")
        self.limit = wanted


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> System:
    return System(monkeypatch)


def test_the_daemon_takes_what_it_may_have_and_a_worker_gets_what_the_shell_had(
    system: System,
) -> None:
    raise_files()
    assert system.limit == (4096, 4096)
    python = Path("/venv/bin/python")
    die_with = ["die-with", str(os.getpid())]
    assert runner_command(python) == [str(python), str(RUNNER), "files", "256", *die_with]


def test_where_nothing_was_raised_nothing_is_given_back(system: System) -> None:
    system.limit = (4096, 4096)
    raise_files()
    assert system.limit == (4096, 4096)
    assert "files" not in runner_command(Path("/venv/bin/python"))


def test_a_system_that_takes_less_than_it_promises_is_asked_for_less(system: System) -> None:
    system.limit, system.most = (256, INFINITE), 10240
    raise_files()
    assert system.limit == (10240, INFINITE)


def test_one_that_takes_neither_is_left_as_it_is(system: System) -> None:
    system.most = 0
    raise_files()
    assert system.limit == (256, 4096)
    assert "files" not in runner_command(Path("/venv/bin/python"))


def test_what_is_more_already_stays(system: System) -> None:
    system.limit, system.most = (20_000, INFINITE), 10240
    raise_files()
    assert system.limit == (20_000, INFINITE)


@pytest.mark.parametrize("starting", [0, 1, 5])
def test_a_worker_needs_room_for_itself_for_those_that_start_and_for_the_daemon(
    system: System, starting: int
) -> None:
    last = 256 - HEADROOM - OF_A_START * starting
    require_room(last, starting)
    with pytest.raises(OSError, match="Too many open files") as caught:
        require_room(last + 1, starting)
    assert caught.value.errno == errno.EMFILE


def test_without_a_limit_there_is_always_room(system: System) -> None:
    system.limit = (INFINITE, INFINITE)
    require_room(10**6, 100)


@pytest.mark.parametrize(
    ("error", "short"),
    [
        (OSError(errno.EMFILE, ""), True),
        (OSError(errno.ENFILE, ""), True),
        (OSError(errno.EAGAIN, ""), True),
        (OSError(errno.ENOMEM, ""), True),
        (OSError(errno.ENOENT, ""), False),
        (OSError("no number"), False),
        (MemoryError(), False),
        (None, False),
    ],
)
def test_a_shortage_is_what_may_be_over_later(error: BaseException | None, short: bool) -> None:
    assert is_short(error) is short
