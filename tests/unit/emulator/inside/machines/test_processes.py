from __future__ import annotations

import os
import subprocess
import sys

import pytest

from devbridge.emulator.inside.machines.processes import Process, parsed, processes


def test_what_ps_lists_is_understood() -> None:
    listing = (
        "    1     0     1 Ss   /sbin/launchd\n"
        "  300     1   300 S+   python x.py OWN=x A=b c\n"
        "  301   300   300 Z\n"
        "  302   300   300 S\n"
    )
    assert list(parsed(listing)) == [
        Process(1, 0, 1, "/sbin/launchd"),
        Process(300, 1, 300, "python x.py OWN=x A=b c"),
        Process(302, 300, 300),
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="names processes by Linux's means")
def test_a_process_is_found_whose_name_is_cut_within_a_character() -> None:
    code = "open('/proc/self/comm', 'wb').write(b'name-\\xc3'); print(flush=True); input()"
    named = subprocess.Popen(
        [sys.executable, "-c", code],
        env={"OWN": "process"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert named.stdout
    named.stdout.readline()
    found = {each.pid: each for each in processes(environments=True)}
    expected = Process(named.pid, os.getpid(), os.getpgrp(), "OWN=process\0")
    assert found[named.pid] == expected
    assert expected._replace(environment="") in list(processes())
    named.communicate(b"\n")
