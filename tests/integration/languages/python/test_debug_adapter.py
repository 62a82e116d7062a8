from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import debugpy
import psutil
import pytest

from devbridge.languages.python import debug_adapter

FOLDER = Path(debugpy.__file__).parent


class Script:
    """The script, started as the daemon does."""

    def __init__(self) -> None:
        self.control, theirs = socket.socketpair()
        self.control.settimeout(60)
        number = str(theirs.fileno())
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-P", debug_adapter.__file__, str(FOLDER), number],
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        self.control.sendall(b'{"token": "t"}\n')
        self.place: dict[str, Any] = json.loads(self.control.makefile("rb").readline())


@pytest.fixture
def script() -> Iterator[Script]:
    made = Script()
    yield made
    made.process.kill()
    made.process.wait()
    made.control.close()


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_it_ends_with_the_daemon(script: Script) -> None:
    anchor = script.place["anchor"]
    script.control.shutdown(socket.SHUT_RDWR)
    script.process.wait(60)
    assert gone(anchor)


def test_it_ends_with_its_anchor_and_the_anchor_with_it(script: Script) -> None:
    psutil.Process(script.place["anchor"]).send_signal(signal.SIGKILL)
    script.process.wait(60)
    other = Script()
    anchor = psutil.Process(other.place["anchor"])
    other.process.kill()
    other.process.wait()
    other.control.close()
    psutil.wait_procs([anchor], timeout=60)
    assert gone(anchor.pid)
