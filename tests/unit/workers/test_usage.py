from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from devbridge.workers.usage import usage

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")
BUSY = """\
import subprocess, sys
hoard = bytearray(64 << 20)
child = subprocess.Popen([sys.executable, "-c", "hoard = bytearray(64 << 20); print(); input()"],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline()
subprocess.run([sys.executable, "-c", "for _ in range(10 ** 7): pass"], check=True)
print(flush=True)
input()
child.kill()
child.wait()
"""


def test_what_a_process_has_started_counts_and_what_has_ended_did() -> None:
    command = [sys.executable, "-c", BUSY]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        found = usage(process.pid)
        process.communicate(b"\n")
    assert found is not None
    assert found.memory > 2 * (64 << 20), "the child's, too"
    assert found.cpu > 0.05, "that of the one which has counted"
    assert usage(process.pid) is None


def test_a_name_that_looks_like_more_is_no_more(tmp_path: Path) -> None:
    numbers = " ".join(str(number) for number in range(3, 53))
    (tmp_path / "7" / "task").mkdir(parents=True)
    (tmp_path / "7" / "stat").write_text(f"7 (a) S (b) 1) S {numbers}")
    found = usage(7, tmp_path)
    assert found is not None
    ticks, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    assert found.cpu * ticks == pytest.approx(13 + 14 + 15 + 16)
    assert found.memory == 23 * page
