from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.failure import HandlerNotFound
from runner.loading import load


@pytest.fixture(autouse=True)
def clean_imports() -> Iterator[None]:
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def test_a_handler_is_imported_under_its_modules_name(tmp_path: Path) -> None:
    (tmp_path / "some_jobs").mkdir()
    (tmp_path / "some_jobs/a.py").write_text("def handler(payload): ...")
    handler = load("some_jobs/a.handler", str(tmp_path))
    assert handler.__module__ == "some_jobs.a"
    assert sys.path[0] == str(tmp_path)


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        ("handler", "is not of the form"),
        ("a/missing.handler", "there is no file a/missing.py"),
        ("some_job.missing", 'some_job.py has no function "missing"; it has: handler'),
        ("some_job.NUMBER", 'no function "NUMBER"'),
        ("json/tool.main", "json/tool.py is hidden by another module"),
    ],
)
def test_a_wrong_path_says_what_there_is(tmp_path: Path, handler: str, message: str) -> None:
    (tmp_path / "some_job.py").write_text("NUMBER = 1\ndef handler(payload): ...")
    (tmp_path / "json").mkdir()
    (tmp_path / "json/tool.py").write_text("def main(payload): ...")
    with pytest.raises(HandlerNotFound) as raised:
        load(handler, str(tmp_path))
    assert message in str(raised.value)


def test_extra_folders_come_after_all_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "extra").mkdir()
    (tmp_path / "extra/only_there.py").write_text("WHERE = 'extra'")
    (tmp_path / "extra/json.py").write_text("raise AssertionError")
    (tmp_path / "job_with_extra.py").write_text(
        "import json, only_there\ndef handler(payload): return only_there.WHERE"
    )
    monkeypatch.setenv("DEVBRIDGE_PATH", f"/nowhere{os.pathsep}{tmp_path / 'extra'}")
    assert load("job_with_extra.handler", str(tmp_path))(None) == "extra"
    assert sys.path[-2:] == ["/nowhere", str(tmp_path / "extra")]
