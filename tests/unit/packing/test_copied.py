from __future__ import annotations

import os
from pathlib import Path

import pytest

from devbridge.constructs import App, Job
from devbridge.constructs.app import loading
from devbridge.errors import BuildError
from devbridge.packing.assets import Remarks
from devbridge.packing.copied import copied


def job(root: Path, *patterns: str) -> Job:
    (root / "jobs").mkdir(exist_ok=True)
    (root / "jobs" / "a.py").write_text("def handler(payload, context): ...\n")
    with loading(root):
        return Job(App("demo"), "a", handler="jobs/a.handler", copy_files=patterns)


def test_files_are_copied_and_what_is_left_out_is_said(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name in ("a.csv", ".env", "server.key"):
        (tmp_path / "data" / name).touch()
    remarks = Remarks()
    found = copied(job(tmp_path, "data"), remarks)
    assert found == {"data/a.csv": tmp_path / "data" / "a.csv"}
    assert [line.partition(";")[0] for line in remarks.left] == [
        "Job 'a': left out data/.env (hidden)",
        "Job 'a': left out data/server.key (a key)",
    ]


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.csv").touch()
    os.mkfifo(tmp_path / "data" / "pipe")
    with pytest.raises(BuildError, match=r"copy_files: 'data/pipe' is not a file"):
        copied(job(tmp_path, "data"), Remarks())
