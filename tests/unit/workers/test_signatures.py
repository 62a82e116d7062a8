from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from devbridge.sources.folder import signed
from devbridge.workers import signatures
from devbridge.workers.signatures import RACY, Declarations, Entries, Looker, modified, sign

LONG_AGO = 1_000_000_000


def write(path: Path, text: str = "", at: int = LONG_AGO) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (at, at))
    return path


# --- files --------------------------------------------------------------------------------------


def test_a_file_has_another_signature_when_its_time_its_size_or_the_file_is_another(
    tmp_path: Path,
) -> None:
    file = write(tmp_path / "a.py", "one")
    first = sign(file)
    assert sign(file) == first
    seen = {first, sign(write(file, "one", LONG_AGO + 1)), sign(write(file, "four"))}
    write(tmp_path / "b.py", "one").replace(file)
    assert len({*seen, sign(file)}) == 4


def test_no_file_has_no_signature(tmp_path: Path) -> None:
    assert sign(tmp_path / "a.py") is None


def test_a_signature_tells_when_the_file_was_changed(tmp_path: Path) -> None:
    assert modified(sign(write(tmp_path / "a.py"))) == LONG_AGO
    assert modified(None) == 0.0
    assert modified(("a.py", "b.py")) == 0.0  # a folder's


# --- folders ------------------------------------------------------------------------------------


def test_a_folders_entries_are_its_names_without_those_of_editors(tmp_path: Path) -> None:
    for name in ("b.py", "a.py", ".hidden", "#a.py#", "a.py~", "__pycache__"):
        write(tmp_path / name)
    assert Looker()(Entries(tmp_path)) == ("a.py", "b.py")


def test_of_modules_that_were_looked_for_only_these_count(tmp_path: Path) -> None:
    looked = Entries(tmp_path, frozenset({"a", "b"}))
    for name in ("a.py", "a.cpython-311.so", "c.py", "ab.py"):
        write(tmp_path / name)
    (tmp_path / "b").mkdir()
    assert Looker()(looked) == ("a.cpython-311.so", "a.py", "b")


def test_no_folder_has_no_entries(tmp_path: Path) -> None:
    assert Looker()(Entries(tmp_path / "gone")) == ()


def test_a_file_is_looked_at_as_a_file(tmp_path: Path) -> None:
    file = write(tmp_path / "a.py")
    assert Looker()(file) == sign(file)


def test_a_folder_that_rests_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.py")
    os.utime(tmp_path, (LONG_AGO, LONG_AGO))
    look = Looker()
    assert look(Entries(tmp_path)) == ("a.py",)
    monkeypatch.setattr(Path, "iterdir", lambda folder: pytest.fail("it was read again"))
    assert look(Entries(tmp_path)) == ("a.py",)


def test_a_folder_that_has_changed_is_read_again(tmp_path: Path) -> None:
    look = Looker()
    os.utime(tmp_path, (LONG_AGO, LONG_AGO))
    assert look(Entries(tmp_path)) == ()
    write(tmp_path / "a.py")
    os.utime(tmp_path, (LONG_AGO + 1, LONG_AGO + 1))
    assert look(Entries(tmp_path)) == ("a.py",)


def test_the_time_of_a_folder_that_has_just_changed_is_not_relied_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second change may come within the same tick of the file system's clock."""
    look = Looker()
    os.utime(tmp_path, (LONG_AGO, LONG_AGO))
    monkeypatch.setattr(time, "time", lambda: LONG_AGO + RACY)
    assert look(Entries(tmp_path)) == ()
    write(tmp_path / "a.py")
    os.utime(tmp_path, (LONG_AGO, LONG_AGO))
    assert look(Entries(tmp_path)) == ("a.py",)


# --- folders of jobs ----------------------------------------------------------------------------


def test_what_a_folder_declares_has_another_signature_when_its_jobs_are_others(
    tmp_path: Path,
) -> None:
    look, item = Looker(), Declarations(tmp_path)
    job = "@job_handler({})\ndef handler(payload): ...\n"
    write(tmp_path / "a.py", job.format("'a'"))
    first = look(item)
    assert first == signed(tmp_path)
    write(tmp_path / "a.py", job.format("'a'") + "    # more", LONG_AGO + 1)
    assert look(item) == first
    write(tmp_path / "a.py", job.format("'b'"), LONG_AGO + 2)
    assert look(item) != first


def test_what_was_seen_of_a_folder_makes_it_no_other_item(tmp_path: Path) -> None:
    assert Declarations(tmp_path, ("seen",)) == Declarations(tmp_path)
    assert len({Declarations(tmp_path, ("seen",)), Declarations(tmp_path)}) == 1


def test_what_concerns_a_folder_is_found_once_while_it_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.py").touch()
    os.utime(tmp_path, (1, 1))
    look, item = Looker(), Entries(tmp_path, frozenset({"a", "b"}))
    assert look(item) == ("a.py",)
    monkeypatch.setattr(signatures, "_concerns", lambda *_: pytest.fail("found again"))
    assert look(item) == ("a.py",)
    monkeypatch.undo()
    (tmp_path / "b.py").touch()
    assert look(item) == ("a.py", "b.py")
