from __future__ import annotations

from pathlib import Path

import pytest

from devbridge.sources.handlers import Handler
from devbridge.sources.python import PythonSource


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
    assert PythonSource().missing(tmp_path, Handler("a", "run")) is None


@pytest.mark.parametrize(
    "source", ["", "def handler(p):\n    def run(): ...", "run: int", "import run.me as you"]
)
def test_a_function_that_no_statement_binds_is_missing(source: str, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(source)
    missing = PythonSource().missing(tmp_path, Handler("a", "run"))
    assert missing is not None
    assert "'a.py' has no function 'run'" in missing.what


def test_a_missing_file_names_the_files_beside_it(tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "report.py").touch()
    missing = PythonSource().missing(tmp_path, Handler("jobs/reprot", "handler"))
    assert missing is not None
    assert "'jobs/reprot.py' does not exist" in missing.what
    assert "report" in missing.allowed


def test_a_handler_in_a_folder_that_another_module_hides_cannot_be_imported(
    tmp_path: Path,
) -> None:
    (tmp_path / "email").mkdir()
    (tmp_path / "email" / "send.py").write_text("def handler(p): ...")
    missing = PythonSource().missing(tmp_path, Handler("email/send", "handler"))
    assert missing is not None
    assert "cannot be imported" in missing.what
    assert "rename it" in missing.allowed


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_what_python_has_kept_of_a_file_is_dropped_and_nothing_else(tmp_path: Path) -> None:
    cache = tmp_path / "__pycache__"
    for name in ("a.cpython-311.pyc", "a.cpython-312.opt-1.pyc", "ab.cpython-311.pyc", "a.txt"):
        touch(cache / name)
    PythonSource().changed(tmp_path / "a.py")
    assert sorted(file.name for file in cache.iterdir()) == ["a.txt", "ab.cpython-311.pyc"]


def test_a_name_with_wildcards_is_only_itself(tmp_path: Path) -> None:
    cache = tmp_path / "__pycache__"
    touch(cache / "[ab].cpython-311.pyc")
    touch(cache / "a.cpython-311.pyc")
    PythonSource().changed(tmp_path / "[ab].py")
    assert [file.name for file in cache.iterdir()] == ["a.cpython-311.pyc"]


def test_what_is_kept_beside_the_real_file_is_dropped_too(tmp_path: Path) -> None:
    real = touch(tmp_path / "lib" / "a.py")
    kept = touch(tmp_path / "lib" / "__pycache__" / "a.cpython-311.pyc")
    (tmp_path / "app").mkdir()
    link = tmp_path / "app" / "a.py"
    link.symlink_to(real)
    PythonSource().changed(link)
    assert not kept.exists()


def test_whether_a_function_yields_is_told_by_its_syntax(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def run(p):\n    yield 1\n\ndef one(p): return 1\n")
    (tmp_path / "broken.py").write_text("def broken(:")
    source = PythonSource()
    assert source.is_generator(tmp_path, Handler("a", "run")) is True
    assert source.is_generator(tmp_path, Handler("a", "one")) is False
    for module in ("broken", "missing"):
        assert source.is_generator(tmp_path, Handler(module, "run")) is None
