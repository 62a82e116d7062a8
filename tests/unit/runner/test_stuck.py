from __future__ import annotations

import faulthandler
from pathlib import Path

import pytest

from runner import stuck

DUMP = """Timeout (0:00:01.500000)!
Thread 0x00007f01 (most recent call first):
  File "{root}/other.py", line 9 in work
  File "/usr/lib/python3.11/threading.py", line 1 in run

Thread 0x00007f02 (most recent call first):
  File "/usr/lib/python3.11/socket.py", line 5 in connect
  File "{root}/.venv/lib/python3.11/site-packages/lib.py", line 6 in get
  File "{root}/jobs/a b.py", line 7 in <module>
  File "<frozen importlib._bootstrap>", line 241 in _call_with_frames_removed
  File "{root}/app.py", line 8 in <module>
  File "/site-packages/runner/loading.py", line 59 in load
"""


def test_the_innermost_line_of_the_app_in_the_thread_that_imports(tmp_path: Path) -> None:
    (tmp_path / "note").write_text(DUMP.format(root=tmp_path))
    assert stuck.place(str(tmp_path / "note"), str(tmp_path)) == "jobs/a b.py:7"
    assert stuck.place(str(tmp_path / "note"), "/elsewhere") == ""


@pytest.mark.parametrize("text", ["", "Timeout (0:00:01.500000)!\nThread 0x1"])
def test_what_is_not_noted_is_not_known(text: str, tmp_path: Path) -> None:
    (tmp_path / "note").write_text(text)
    assert stuck.place(str(tmp_path / "note"), str(tmp_path)) == ""
    assert stuck.place(str(tmp_path / "none"), str(tmp_path)) == ""


def test_it_is_noted_only_if_it_takes_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    armed: list[object] = []
    monkeypatch.setattr(
        faulthandler, "dump_traceback_later", lambda seconds, file: armed.append(seconds)
    )
    monkeypatch.setattr(faulthandler, "cancel_dump_traceback_later", lambda: armed.append("off"))
    with stuck.noted(str(tmp_path / "note")):
        assert armed == [stuck.LATE]
    assert armed == [stuck.LATE, "off"]
    assert [*tmp_path.iterdir()] == []
    for path in ("", str(tmp_path / "none" / "note")):
        with stuck.noted(path):
            pass
    assert armed == [stuck.LATE, "off"]
