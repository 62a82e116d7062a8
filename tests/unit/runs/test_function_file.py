from __future__ import annotations

import os
from pathlib import Path

import pytest

from devbridge.folders import rotated_log
from devbridge.runs import logfile
from devbridge.runs.function_file import handled, kept, request_line

AT = 1_700_000_000.0


def test_a_request_has_the_time_at_which_it_was_over() -> None:
    line = request_line("GET /a 200 5ms", AT)
    assert line == "--- devbridge: 2023-11-14T22:13:20Z GET /a 200 5ms\n"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "api.log"
    rotated_log(path).write_text("a\n" + request_line("GET /a", AT))
    path.write_text("b\n" + request_line("GET /b", AT + 10) + "c\n")
    return path


def text(path: Path, since: float) -> str:
    return b"".join(kept(path, since)).decode()


def test_what_was_over_before_is_left_out(log: Path) -> None:
    assert text(log, AT).startswith("a\n")
    assert text(log, AT + 5) == "b\n" + request_line("GET /b", AT + 10) + "c\n"
    assert text(log, AT + 11) == "c\n"


def test_nothing_is_new_in_what_nobody_has_touched(log: Path) -> None:
    os.utime(log, (AT, AT))
    assert text(log, AT + 5) == ""


def test_without_a_request_nothing_was_handled_here(tmp_path: Path, log: Path) -> None:
    assert handled(log) == log.stat().st_mtime
    assert handled(tmp_path / "nothing") is None
    (tmp_path / "other.log").write_text("printed in the cloud\n--- devbridge: no time\n")
    assert handled(tmp_path / "other.log") is None


def test_it_is_followed_across_a_rotation(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logfile, "LOOK", 0.0)
    pieces = kept(log, AT, follow=True)
    assert next(pieces).endswith(b"c\n")
    with log.open("a") as file:
        file.write("d\n")
    assert next(pieces) == b"d\n"
    log.replace(rotated_log(log))
    log.write_text("e\n")
    assert next(pieces) == b"e\n"
    pieces.close()


def test_one_that_is_not_there_yet_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logfile, "LOOK", 0.0)
    pieces = kept(tmp_path / "api.log", AT, follow=True)
    assert next(pieces) == b""
    (tmp_path / "api.log").write_text("a\n")
    assert next(pieces) == b"a\n"
    pieces.close()
