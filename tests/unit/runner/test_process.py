"""The decisions; that the kernel does as it is told is seen in tests/integration."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Iterator

import pytest

from runner import process

PID = 4321
TERM, KILL = signal.SIGTERM, signal.SIGKILL


class Kernel:
    """Processes that are made up."""

    def __init__(self) -> None:
        self.now = 0.0
        self.signals: list[tuple[int, float]] = []
        self.waits: Iterator[int | type[OSError]] = iter(())
        self.dies_at: dict[int, float] = {}

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert 0 < seconds < 0.1
        self.now += seconds

    def killpg(self, pid: int, number: int) -> None:
        assert pid == PID
        self.signals.append((number, self.now))

    def is_left(self, pid: int) -> bool:
        assert pid == PID
        sent = {number for number, _ in self.signals}
        return not any(self.now >= at for number, at in self.dies_at.items() if number in sent)


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    fake = Kernel()
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(process, "time", fake)
    monkeypatch.setattr(process.os, "killpg", fake.killpg)  # type: ignore[attr-defined]
    return fake


# --- tied to the parent -------------------------------------------------------------------------


class Ended(BaseException):
    """In place of the process's end."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    calls: list[tuple[int, int]] = []

    def end(code: int) -> None:
        raise Ended(code)

    monkeypatch.setattr(process, "_prctl", lambda *what: calls.append(what))
    monkeypatch.setattr(os, "_exit", end)
    monkeypatch.setattr(sys, "platform", "linux")
    return calls


def test_a_process_dies_with_its_parent(asked: list[tuple[int, int]]) -> None:
    process.die_with_parent(os.getppid())
    assert asked == [(1, KILL)]  # PR_SET_PDEATHSIG
    process.outlive_parent()
    assert asked[1:] == [(1, 0)]


def test_a_parent_that_had_gone_before_is_noticed(asked: list[tuple[int, int]]) -> None:
    with pytest.raises(Ended, match="1"):
        process.die_with_parent(os.getppid() + 1)


def test_orphans_are_adopted(asked: list[tuple[int, int]]) -> None:
    process.adopt_orphans()
    assert asked == [(36, 1)]  # PR_SET_CHILD_SUBREAPER


def test_elsewhere_nothing_of_that_is_asked(
    asked: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    process.die_with_parent(os.getppid() + 1)
    process.adopt_orphans()
    assert asked == []


@pytest.mark.skipif(sys.platform != "linux", reason="linux only")
def test_the_kernel_takes_what_is_asked_and_refuses_nonsense() -> None:
    process._prctl(36, 0)  # not a subreaper, as before
    with pytest.raises(OSError, match="prctl"):
        process._prctl(-1, 0)


# --- groups -------------------------------------------------------------------------------------


def test_a_group_is_left_while_somebody_in_it_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: Iterator[int] = iter([17, 18, 0])

    def waitpid(pid: int, options: int) -> tuple[int, int]:
        assert (pid, options) == (-PID, os.WNOHANG)
        return next(answers), 0

    monkeypatch.setattr(os, "waitpid", waitpid)
    assert process.group_is_left(PID)
    assert next(answers, None) is None, "the dead are reaped"


def test_a_group_without_children_of_ours_is_not_left(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: Iterator[int] = iter([17])

    def waitpid(_pid: int, _options: int) -> tuple[int, int]:
        for pid in answers:
            return pid, 0
        raise ChildProcessError

    monkeypatch.setattr(os, "waitpid", waitpid)
    assert not process.group_is_left(PID)


@pytest.mark.parametrize("error", [None, ProcessLookupError, PermissionError])
def test_a_group_that_is_gone_or_not_ours_is_not_signalled(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch, error: type[OSError] | None
) -> None:
    if error is not None:

        def refuse(_pid: int, _number: int) -> None:
            raise error

        monkeypatch.setattr(os, "killpg", refuse)
    process.signal_group(PID, TERM)
    assert kernel.signals == ([(TERM, 0.0)] if error is None else [])


def test_what_is_left_of_a_group_gets_sigterm_once_and_then_time(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "group_is_left", kernel.is_left)
    kernel.dies_at = {TERM: 3.0}
    process.end_group(PID, 10.0)
    assert kernel.signals == [(TERM, 0.0)]
    assert kernel.now == pytest.approx(3.0, abs=0.05)


def test_what_does_not_go_in_time_is_killed_until_it_has_gone(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "group_is_left", kernel.is_left)
    kernel.dies_at = {KILL: 10.1}
    process.end_group(PID, 10.0)
    (first, _), (second, at), *_ = kernel.signals
    assert (first, second) == (TERM, KILL)
    assert at == pytest.approx(10.0, abs=0.05)
    assert kernel.now == pytest.approx(10.1, abs=0.05)


def test_a_group_of_which_nobody_is_left_is_not_signalled(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "group_is_left", lambda _pid: False)
    process.end_group(PID, 10.0)
    assert kernel.signals == []


def test_where_orphans_are_not_adopted_a_group_is_killed_at_once(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    process.end_group(PID, 10.0)
    assert kernel.signals == [(KILL, 0.0)]


def test_children_are_killed_and_whoever_they_leave_until_there_is_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listings = iter(["11 12 ", "13 ", ""])
    killed: list[int] = []
    reaped: list[int] = []

    def kill(pid: int, number: int) -> None:
        assert number == KILL
        killed.append(pid)

    def waitpid(pid: int, options: int) -> tuple[int, int]:
        assert (pid, options) == (-1, 0)
        if len(reaped) == 2:
            raise ChildProcessError
        reaped.append(1)
        return 1, 0

    monkeypatch.setattr("builtins.open", lambda path: io.StringIO(next(listings)))
    monkeypatch.setattr(os, "kill", kill)
    monkeypatch.setattr(os, "waitpid", waitpid)
    process.kill_children()
    assert killed == [11, 12, 13]
