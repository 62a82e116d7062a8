"""The files of a folder of jobs: which count, what each says, and when that is another."""

from __future__ import annotations

from pathlib import Path

import pytest

from devbridge.sources.declared import Declared, NotLiteralError
from devbridge.sources.folder import Read, files_in, folders_in, read, signed

JOB = "@job_handler('{}')\ndef handler(payload): ...\n"


def write(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.new")
    draft.write_text(text)
    return draft.replace(file)


def names(file: Path) -> list[str | None]:
    return [each.name for each in read(file).declared]


def test_a_file_is_read_and_read_again_when_it_is_another(tmp_path: Path) -> None:
    file = write(tmp_path / "a.py", JOB.format("a"))
    assert read(file) == Read((Declared("handler", "a", {}, 1),), None, known=True)
    assert read(file) is read(file)
    write(file, JOB.format("b"))
    assert names(file) == ["b"]


def test_a_file_that_does_not_parse_says_what_it_said_last(tmp_path: Path) -> None:
    file = write(tmp_path / "a.py", JOB.format("a"))
    read(file)
    for text in ("def (", "def ((", "\0"):
        write(file, text)
        found = read(file)
        assert (names(file), found.known) == (["a"], True)
        assert isinstance(found.failure, SyntaxError | ValueError)


def test_of_a_file_that_never_parsed_nothing_is_known(tmp_path: Path) -> None:
    found = read(write(tmp_path / "a.py", "def ("))
    assert (found.declared, found.known) == ((), False)


def test_an_option_that_is_no_literal_is_a_failure(tmp_path: Path) -> None:
    found = read(write(tmp_path / "a.py", "@job_handler('a', retries=N)\ndef handler(p): ..."))
    assert isinstance(found.failure, NotLiteralError)


def test_a_file_that_is_gone_says_nothing(tmp_path: Path) -> None:
    file = write(tmp_path / "a.py", JOB.format("a"))
    read(file)
    file.unlink()
    assert read(file).declared == ()
    assert isinstance(read(file).failure, OSError)


def test_files_with_code_are_found_below_too_but_not_what_is_nobodys_own(tmp_path: Path) -> None:
    own = ["a.py", "b.ts", "mail/c.py", "mail/deep/d.py"]
    other = [".hidden.py", "notes.md", ".venv/e.py", "__pycache__/f.py", "node_modules/g.js"]
    for file in (*own, *other, "env/pyvenv.cfg", "env/h.py"):
        write(tmp_path / file, "")
    assert [file.relative_to(tmp_path).as_posix() for file in files_in(tmp_path)] == own
    assert [folder.name for folder in folders_in(tmp_path)][1:] == ["mail", "deep"]
    assert list(files_in(tmp_path / "missing")) == []


# --- when the folder is another ------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "a.py", JOB.format("a"))
    write(tmp_path / "helpers.py", "x = 1\n")
    return tmp_path


def test_other_lines_and_other_helpers_make_no_difference(folder: Path) -> None:
    before = signed(folder)
    write(folder / "a.py", "x = 2\n" + JOB.format("a") + "    return x\n")
    write(folder / "helpers.py", "x = 2\n")
    write(folder / "more.py", "")
    assert signed(folder) == before


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("a.py", JOB.format("b")),
        ("a.py", "@job_handler('a', retries=1)\ndef handler(payload): ...\n"),
        ("a.py", "@job_handler('a')\ndef other(payload): ...\n"),
        ("a.py", "def handler(payload): ...\n"),
        ("a.py", "@job_handler('a', retries=N)\ndef handler(payload): ...\n"),
        ("b.py", JOB.format("b")),
        ("b.py", "def ("),
        ("mail/b.py", JOB.format("b")),
        ("helpers.py", JOB.format("helpers")),
    ],
)
def test_another_declaration_makes_one(folder: Path, file: str, text: str) -> None:
    before = signed(folder)
    write(folder / file, text)
    assert signed(folder) != before


def test_a_job_that_is_taken_away_makes_one(folder: Path) -> None:
    before = signed(folder)
    (folder / "a.py").unlink()
    assert signed(folder) != before


def test_a_job_that_does_not_parse_for_now_makes_none(folder: Path) -> None:
    before = signed(folder)
    write(folder / "a.py", "def (")
    assert signed(folder) == before
