from __future__ import annotations

from pathlib import Path

import pytest

from devbridge.errors import AppFailed
from devbridge.sources.clashes import check_names, is_hidden


def make(root: Path, *files: str) -> None:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()


@pytest.mark.parametrize(
    ("file", "what"),
    [
        ("runner/x.py", "the folder runner has the name of a package of devbridge's"),
        ("devbridge.py", "the file devbridge.py has the name of a package of devbridge's"),
        ("stub_lambda/__init__.py", "the folder stub_lambda has the name of a package"),
        ("email/__init__.py", "the folder email has the name of a module of Python's own"),
        ("queue.py", "the file queue.py has the name of a module of Python's own"),
    ],
)
def test_a_module_whose_name_is_taken_is_refused(tmp_path: Path, file: str, what: str) -> None:
    make(tmp_path, file)
    with pytest.raises(AppFailed, match=what) as caught:
        check_names(tmp_path, tmp_path)
    assert caught.value.where == file.partition("/")[0]
    assert caught.value.remedy == "rename it"


@pytest.mark.parametrize(
    "file",
    [
        "app.py",
        "app/__init__.py",
        "protocol/__init__.py",
        "jobs/queue.py",
        "jobs/runner/__init__.py",
        "email/template.html",
        "code/x.py",
        "runner/notes.txt",
        "json",
    ],
)
def test_what_hides_nobody_is_let_through(tmp_path: Path, file: str) -> None:
    make(tmp_path, file)
    check_names(tmp_path, tmp_path)


def test_a_folder_that_is_named_for_imports_is_looked_into_if_it_is_there(tmp_path: Path) -> None:
    check_names(tmp_path / "src", tmp_path)
    make(tmp_path, "src/json.py")
    with pytest.raises(AppFailed) as caught:
        check_names(tmp_path / "src", tmp_path)
    assert caught.value.where == "src/json.py"


def test_what_hides_a_folder_without_init_is_named_with_what_helps(tmp_path: Path) -> None:
    make(tmp_path, "email/send.py", "app/jobs.py", "jobs/a.py", "app.py")
    assert is_hidden(tmp_path, "jobs") is None
    assert is_hidden(tmp_path, "json") is None, "there is no such folder"
    assert is_hidden(tmp_path, "email") == (
        "the folder 'email' has the name of a module of Python's own: rename it"
    )
    hidden = "the folder 'app' is hidden by app.py: put an __init__.py into it, or rename it"
    assert is_hidden(tmp_path, "app") == hidden
    make(tmp_path, "app/__init__.py")
    assert is_hidden(tmp_path, "app") is None
