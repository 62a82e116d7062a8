from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from devbridge.daemon.memory import FORGET_AGAIN, OomKills, crash, limit_of
from devbridge.runs.model import Exit, JobSpec

KILLED = Exit(signal=signal.SIGKILL)
JOB = JobSpec("factorial", "jobs/f.handler", 60, 3072, "arn", {})


def count(file: Path, kills: int) -> None:
    file.write_text(f"oom 7\noom_kill {kills}\noom_kill_disable 0\n")


def test_each_kill_of_the_kernel_is_claimed_once(tmp_path: Path) -> None:
    source = tmp_path / "memory.events"
    count(source, 3)
    kills = OomKills(source)
    assert not kills.claim()
    count(source, 5)
    assert [kills.claim() for _ in range(3)] == [True, True, False]


def test_kills_before_a_run_are_not_its_own(tmp_path: Path) -> None:
    source = tmp_path / "memory.events"
    count(source, 3)
    kills = OomKills(source)
    count(source, 4)
    kills.forget()
    assert not kills.claim()


def test_what_is_nobodys_is_looked_at_seldom_however_many_runs_begin(
    tmp_path: Path,
) -> None:
    source, now = tmp_path / "memory.events", [100.0]
    count(source, 3)
    kills = OomKills(source, clock=lambda: now[0])
    kills.forget()
    count(source, 4)
    now[0] += FORGET_AGAIN / 2
    kills.forget()
    assert kills.claim()
    count(source, 5)
    now[0] += FORGET_AGAIN
    kills.forget()
    assert not kills.claim()


@pytest.mark.parametrize("content", [None, "", "oom_kill many\n", "oom_kill_disable 1\n"])
def test_where_the_kernel_does_not_count_nothing_is_claimed(
    tmp_path: Path, content: str | None
) -> None:
    source = tmp_path / "memory.events"
    if content is not None:
        source.write_text(content)
    assert not OomKills(source).claim()


@pytest.mark.skipif(sys.platform != "linux", reason="linux only")
def test_the_kernels_counter_is_found() -> None:
    kills = OomKills()
    assert b"oom_kill " in kills._source.read_bytes()


def test_a_kill_for_lack_of_memory_is_called_that() -> None:
    failure = crash(KILLED, out_of_memory=True)
    assert failure.type == "OutOfMemory"
    assert "memory_limit" in failure.message


@pytest.mark.parametrize(
    ("exit_", "kind", "said"),
    [
        (KILLED, "Killed", "SIGKILL (the kernel does that when memory runs out)"),
        (Exit(signal=signal.SIGSEGV), "Killed", "ended by SIGSEGV"),
        (Exit(signal=99), "Killed", "ended by signal 99"),
        (Exit(code=7), "Exited", "exited with code 7"),
    ],
)
def test_other_ends_are_told_as_what_they_are(exit_: Exit, kind: str, said: str) -> None:
    assert crash(exit_).type == kind
    assert said in crash(exit_).message


@pytest.mark.parametrize(
    ("setting", "limit"), [(None, None), ("job", 3072 << 20), (2 << 30, 2 << 30)]
)
def test_the_limit_is_the_jobs_size_or_the_one_that_is_set(
    setting: int | str | None, limit: int | None
) -> None:
    assert limit_of(JOB, setting) == limit
