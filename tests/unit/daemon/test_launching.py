"""What jobs' and functions' workers have alike; the rest is in the tests of those."""

from __future__ import annotations

import resource
import signal
from unittest.mock import Mock

import pytest

from devbridge.daemon.launching import Launched, Launching, Starts
from devbridge.daemon.memory import OomKills
from devbridge.runs.model import Exit
from devbridge.workers.rlimits import HEADROOM


def launching() -> Launching[Launched]:
    starts: Starts[Launched] = Starts(failed=Mock(), short=Mock(), heard=Mock(), lost=Mock())
    return Launching(Mock(), Mock(), Mock(), Mock(), starts)


def test_a_signal_waits_for_the_process() -> None:
    worker = Launched("w", "a", 1.0)
    worker.signal(signal.SIGKILL)
    assert (worker.pending, worker.killed) == (signal.SIGKILL, False)
    worker.process = Mock()
    worker.signal(signal.SIGKILL)
    worker.process.signal_group.assert_called_once_with(signal.SIGKILL)
    assert worker.killed


def test_lines_that_are_not_of_its_code_are_muted() -> None:
    worker = Launched("w", "a", 1.0)
    worker.mute([])
    assert worker.muted is None
    worker.mute(["Debugger (x)"])
    assert worker.muted is not None
    assert worker.muted.sub(b"", b"a\nDebugger (x) listens\nb\n") == b"a\nb\n"


def test_nothing_is_started_with_the_last_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    full = (HEADROOM, resource.RLIM_INFINITY)
    monkeypatch.setattr(resource, "getrlimit", lambda _: full)
    with pytest.raises(OSError, match="Too many open files"):
        launching().pipe(0)


def test_a_kill_of_ours_is_no_shortage_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OomKills, "claim", lambda self: True)
    worker = Launched("w", "a", 1.0)
    assert launching().was_out_of_memory(worker, Exit(signal=signal.SIGKILL))
    worker.killed = True
    assert not launching().was_out_of_memory(worker, Exit(signal=signal.SIGKILL))
    assert not launching().was_out_of_memory(worker, Exit(code=1))
