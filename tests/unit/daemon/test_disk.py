from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from devbridge.daemon import disk
from devbridge.daemon.disk import ROOM, Identity, fill, hold, is_database, set_aside, try_room
from devbridge.runs.ledger_file import LedgerError

HEADER = b"SQLite format 3\0"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "ledger.sqlite"
    made.write_bytes(HEADER + b"pages")
    return made


# --- identity -----------------------------------------------------------------------------------


def test_a_file_that_has_grown_is_the_same(path: Path) -> None:
    before = Identity.of(path)
    with path.open("ab") as file:
        file.write(b"more")
    now = Identity.of(path)
    assert now.numbers == before.numbers
    assert now.size == before.size + 4


def test_a_file_that_was_replaced_is_another_and_so_is_one_with_another_log(path: Path) -> None:
    before = Identity.of(path)
    other = path.with_name("other")
    other.write_bytes(HEADER)
    other.replace(path)
    assert Identity.of(path).numbers != before.numbers
    before = Identity.of(path)
    path.with_name(f"{path.name}-wal").touch()
    assert Identity.of(path).numbers != before.numbers


def test_a_file_that_is_gone_is_known_by_that(path: Path) -> None:
    path.unlink()
    assert Identity.of(path) == Identity((None, None), 0)


def test_what_does_not_begin_as_a_database_is_none(path: Path) -> None:
    with hold(path) as held:
        assert is_database(held)
        path.write_bytes(b"SQLite format 4\0 and more")
        assert not is_database(held)


def test_a_ledger_that_cannot_be_held_is_an_error_that_names_it(path: Path) -> None:
    path.unlink()
    with pytest.raises(LedgerError) as error:
        hold(path)
    assert error.value.where == str(path)


# --- setting aside ------------------------------------------------------------------------------


@pytest.fixture
def noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "strftime", lambda form: "20300102-120000")


@pytest.mark.usefixtures("noon")
def test_a_ledger_is_set_aside_with_the_files_beside_it(path: Path) -> None:
    path.with_name(f"{path.name}-wal").write_bytes(b"log")
    path.with_name(f"{path.name}-shm").write_bytes(b"index")
    aside = set_aside(path)
    assert aside == path.with_name("ledger-20300102-120000.set-aside")
    assert sorted(os.listdir(path.parent)) == [  # noqa: PTH208
        "ledger-20300102-120000.set-aside",
        "ledger-20300102-120000.set-aside-shm",
        "ledger-20300102-120000.set-aside-wal",
    ]
    assert aside.read_bytes() == HEADER + b"pages"


@pytest.mark.usefixtures("noon")
def test_nothing_that_was_set_aside_is_overwritten(path: Path) -> None:
    names = []
    for number in range(3):
        path.write_text(str(number))
        aside = set_aside(path)
        assert aside is not None
        assert aside.read_text() == str(number)
        names.append(aside.name.removeprefix("ledger-20300102-120000"))
    assert names == [".set-aside", "-2.set-aside", "-3.set-aside"]


def test_where_nothing_is_nothing_is_set_aside(tmp_path: Path) -> None:
    assert set_aside(tmp_path / "ledger.sqlite") is None


# --- room ---------------------------------------------------------------------------------------


def test_room_is_tried_and_left_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def note(path: Path, size: int) -> None:
        tried.append(size)
        path.touch()

    monkeypatch.setattr(disk, "fill", note)
    try_room(path)
    assert tried == [ROOM]
    assert os.listdir(path.parent) == [path.name]  # noqa: PTH208


def test_a_full_disk_is_the_ledgers_error_and_what_was_tried_is_removed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, size: int) -> None:
        path.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(disk, "fill", full)
    with pytest.raises(LedgerError, match=r"the ledger cannot be written.*No space left") as caught:
        try_room(path)
    assert caught.value.where == str(path)
    assert os.listdir(path.parent) == [path.name]  # noqa: PTH208


def test_a_file_is_filled_to_its_size_and_is_its_owners(tmp_path: Path) -> None:
    reserve = tmp_path / "reserve"
    reserve.write_bytes(b"x" * 5000)
    fill(reserve, 3000)
    assert reserve.read_bytes() == bytes(3000)
    reserve.unlink()
    fill(reserve, 10)
    assert reserve.stat().st_mode & 0o777 == 0o600
