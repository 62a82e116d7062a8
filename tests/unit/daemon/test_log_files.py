from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbridge.daemon.log_files import MAX_LOG, LogFile
from devbridge.folders import rotated_log

MEGABYTE = 1024 * 1024


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_is_told_once() -> None:
    said: list[str] = []
    file = LogFile(Path("/dev/full"), said.append)
    for _ in range(3):
        file.write(b"line\n")
    file.close()
    assert said == [
        "the log file cannot be written: No space left on device; the run goes on without"
    ]


class Rotating:
    """A log file with a limit, and what was said of it."""

    def __init__(self, path: Path, limit: int) -> None:
        self.path = path
        self.said: list[str] = []
        self.file = LogFile(path, self.said.append, limit=limit, on_rotate=self.said.append)

    @property
    def parts(self) -> list[bytes]:
        """The oldest first."""
        paths = (rotated_log(self.path), self.path)
        return [path.read_bytes() for path in paths if path.exists()]

    @property
    def text(self) -> bytes:
        lines = b"".join(self.parts).splitlines(keepends=True)
        return b"".join(line for line in lines if not line.startswith(b"--- devbridge: rotated"))


def test_a_log_below_the_limit_is_one_file_with_the_exact_bytes(tmp_path: Path) -> None:
    log = Rotating(tmp_path / "run.log", 8192)
    log.file.write(b"x" * 4096)
    assert log.parts == [b"x" * 4096]
    assert log.said == []
    log.file.close()


def test_a_log_keeps_the_newest_lines_within_its_limit(tmp_path: Path) -> None:
    log = Rotating(tmp_path / "run.log", 8192)
    lines = [b"line %05d\n" % number for number in range(3000)]
    for line in lines:
        log.file.write(line)
        assert sum(map(len, log.parts)) <= 8192
    log.file.close()
    assert len(log.parts) == 2
    assert b"".join(lines).endswith(log.text)
    assert len(log.text) > 4096
    assert all(part.startswith(b"--- devbridge: rotated here; of this log") for part in log.parts)
    assert rotated_log(log.path).stat().st_mode & 0o777 == 0o600


def test_the_first_rotation_is_told_and_no_other(tmp_path: Path) -> None:
    log = Rotating(tmp_path / "run.log", 2 * MEGABYTE)
    log.file.write(b"line\n" * MEGABYTE)
    log.file.close()
    [said] = log.said
    assert "what came before is in run.log.1" in said
    assert "the newest 2 MiB are kept" in said


@given(st.lists(st.binary(max_size=5000), max_size=12))
def test_whatever_is_printed_a_log_has_the_newest_of_it_within_its_limit(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes]
) -> None:
    log = Rotating(tmp_path_factory.mktemp("log") / "run.log", 4096)
    for piece in pieces:
        log.file.write(piece)
    log.file.close()
    assert sum(map(len, log.parts)) <= 4096
    seam = log.file._seam()
    assert b"".join(pieces).endswith(b"".join(log.parts).replace(seam, b""))
    assert not [said for said in log.said if "cannot" in said]


def test_the_next_attempt_goes_on_in_the_same_log_and_with_its_limit(tmp_path: Path) -> None:
    for attempt in (b"first", b"second", b"third"):
        log = Rotating(tmp_path / "run.log", 4096)
        log.file.write(attempt + b"." * 1000 + b"\n")
        log.file.close()
    assert b"first" in log.parts[0]
    assert b"third" in log.parts[1]


def test_a_log_that_cannot_be_rotated_is_told_and_the_run_goes_on(tmp_path: Path) -> None:
    (tmp_path / "run.log.1").mkdir()
    log = Rotating(tmp_path / "run.log", 4096)
    for _ in range(3):
        log.file.write(b"x\n" * 1500)
    assert len(log.said) == 1
    assert "cannot be written" in log.said[0]


def test_by_default_a_log_may_be_large(tmp_path: Path) -> None:
    assert LogFile(tmp_path / "run.log", print)._limit == MAX_LOG == 64 * MEGABYTE


def test_closing_twice_is_harmless(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "run.log", print)
    file.close()
    file.close()
    file.write(b"late")
    assert (tmp_path / "run.log").read_bytes() == b""
