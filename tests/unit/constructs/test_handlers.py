from __future__ import annotations

from pathlib import Path

import pytest

from devbridge.constructs.handlers import Handler, missing_handler, parse_handler


@pytest.mark.parametrize(
    "path", ["jobs/a.handler", "a.b", "deep/er/my-file.run_it", "jobs/__init__.handler"]
)
def test_a_handler_path_is_a_file_and_a_function(path: str) -> None:
    handler = parse_handler(path)
    assert handler is not None
    assert str(handler) == path
    assert handler.file == path.rpartition(".")[0] + ".py"


@pytest.mark.parametrize(
    "path",
    ["handler", "/jobs/a.h", "../a.h", "jobs/a.py.h", "jobs\\a.h", "a.1b", "a.", ".b", "", None, 3],
)
def test_other_paths_are_refused(path: object) -> None:
    assert parse_handler(path) is None


@pytest.mark.parametrize(
    "source",
    [
        "def run(p): ...",
        "async def run(p): ...",
        "run = make()",
        "run: object = make()",
        "x, run = 1, 2",
        "from lib import run",
        "from lib import other as run",
        "from lib import *",
        "class run: ...",
        "if True:\n    def run(p): ...",
        "try:\n    from a import run\nexcept ImportError:\n    run = None",
        "def broken(:",
        "@job_handler('a')\ndef run(p): ...",
    ],
)
def test_what_can_bind_the_function_is_let_through(source: str, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(source)
    assert missing_handler(tmp_path, Handler("a", "run")) is None


@pytest.mark.parametrize(
    "source", ["", "def handler(p):\n    def run(): ...", "run: int", "import run.me as you"]
)
def test_a_function_that_no_statement_binds_is_missing(source: str, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(source)
    missing = missing_handler(tmp_path, Handler("a", "run"))
    assert missing is not None
    assert "'a.py' has no function 'run'" in missing.what


def test_a_missing_file_names_the_files_beside_it(tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "report.py").touch()
    missing = missing_handler(tmp_path, Handler("jobs/reprot", "handler"))
    assert missing is not None
    assert "'jobs/reprot.py' does not exist" in missing.what
    assert "report" in missing.allowed


def test_a_handler_in_a_folder_that_another_module_hides_cannot_be_imported(
    tmp_path: Path,
) -> None:
    (tmp_path / "email").mkdir()
    (tmp_path / "email" / "send.py").write_text("def handler(p): ...")
    missing = missing_handler(tmp_path, Handler("email/send", "handler"))
    assert missing is not None
    assert "cannot be imported" in missing.what
    assert "rename it" in missing.allowed
