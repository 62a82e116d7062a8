from __future__ import annotations

import os
import subprocess
import sys

import pytest

from devbridge.pids import lives


def test_a_process_lives_until_it_has_ended() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert lives(process.pid)
    assert lives(os.getpid())
    process.communicate(b"\n")
    assert not lives(process.pid)
    assert not lives(1 << 100)


def test_a_process_of_another_user_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(pid: int, signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refused)
    assert lives(1)
