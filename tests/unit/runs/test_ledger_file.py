from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest

from devbridge.runs import ledger_file
from devbridge.runs.ledger import Ledger
from devbridge.runs.ledger_file import SCHEMA_VERSION, LedgerError
from devbridge.runs.ledger_reader import LedgerReader

from .ledgers import a_run, add, ids


def test_the_file_is_for_its_owner_only(ledger: Ledger, path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_reader_cannot_write(path: Path) -> None:
    with Ledger.open(path) as writer, LedgerReader.open(path) as reader:
        add(writer, a_run())
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            reader._db.execute("DELETE FROM runs")
        assert ids(writer) == ["r1"]


def test_a_reader_of_a_ledger_that_does_not_exist_is_told_so(path: Path) -> None:
    with pytest.raises(LedgerError, match="cannot be opened"):
        LedgerReader.open(path)
    assert not path.exists()


def test_a_file_that_is_no_ledger_is_refused_and_left_alone(path: Path) -> None:
    path.write_bytes(b"something else entirely\n" * 100)
    with pytest.raises(LedgerError, match="cannot be opened"):
        Ledger.open(path)
    assert path.read_bytes() == b"something else entirely\n" * 100


def test_a_ledger_of_a_newer_devbridge_is_refused(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version={SCHEMA_VERSION + 1}")
    db.close()
    with pytest.raises(LedgerError, match="version"):
        Ledger.open(path)


def test_a_ledger_that_an_earlier_devbridge_wrote_with_keys_goes_on(path: Path) -> None:
    with Ledger.open(path) as ledger:
        add(ledger, a_run("old"))
        ledger._db.execute("UPDATE runs SET idempotency_key='monday'")
    with Ledger.open(path) as ledger:
        assert add(ledger, a_run("old"), a_run("new")) == [False, True]
        assert set(ids(ledger)) == {"old", "new"}


def test_a_ledger_can_be_opened_by_an_earlier_devbridge_which_looks_for_the_keys(
    ledger: Ledger,
) -> None:
    add(ledger, a_run())
    query = "SELECT idempotency_key FROM runs"
    assert ledger._db.execute(query).fetchall() == [(None,)]


def damaged(path: Path) -> LedgerError:
    with pytest.raises(LedgerError) as caught:
        Ledger.open(path)
    assert caught.value.where == str(path)
    assert caught.value.damaged
    assert caught.value.remedy is not None
    assert "sets it aside when it starts" in caught.value.remedy
    return caught.value


def test_a_database_of_something_else_is_no_ledger(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE songs (title TEXT)")
    db.close()
    assert "it is a database of something else" in damaged(path).what


def test_a_ledger_that_lacks_a_table_or_a_column_is_damaged(path: Path) -> None:
    Ledger.open(path).close()
    db = sqlite3.connect(path)
    db.execute("ALTER TABLE transitions RENAME COLUMN detail TO remark")
    db.close()
    assert "it has not the tables of a ledger (no such column: detail)" in damaged(path).what


def test_a_folder_in_the_ledgers_place_is_damage(path: Path) -> None:
    path.mkdir()
    damaged(path)


def test_pages_that_make_no_sense_are_found_when_a_ledger_is_opened(path: Path) -> None:
    with Ledger.open(path) as ledger:
        add(ledger, *(a_run(f"r{number}") for number in range(200)))
    whole = path.read_bytes()
    path.write_bytes(whole[:8192] + b"\xff" * 4096 + whole[12288:])
    damaged(path)


def test_a_large_ledger_is_not_read_whole_when_it_is_opened(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Ledger.open(path) as ledger:
        add(ledger, *(a_run(f"r{number}") for number in range(200)))
    whole = path.read_bytes()
    path.write_bytes(whole[:8192] + b"\xff" * 4096 + whole[12288:])
    monkeypatch.setattr(ledger_file, "_CHECKED", len(whole) - 1)
    Ledger.open(path).close()
    monkeypatch.setattr(ledger_file, "_CHECKED", len(whole))
    damaged(path)


def an_error(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("the cause")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("error", "is_damaged", "remedy"),
    [
        (an_error(sqlite3.SQLITE_CORRUPT), True, "sets it aside"),
        (an_error(sqlite3.SQLITE_CORRUPT | 1 << 8), True, "sets it aside"),
        (an_error(sqlite3.SQLITE_NOTADB), True, "sets it aside"),
        (an_error(sqlite3.SQLITE_ERROR), True, "sets it aside"),
        (an_error(sqlite3.SQLITE_FULL), False, "make room"),
        (an_error(sqlite3.SQLITE_IOERR), False, "make room"),
        (an_error(sqlite3.SQLITE_READONLY), False, "permissions"),
        (an_error(sqlite3.SQLITE_BUSY), False, "permissions"),
        (PermissionError("the cause"), False, "permissions"),
        (IsADirectoryError("the cause"), True, "sets it aside"),
    ],
)
def test_each_cause_has_its_remedy(
    error: sqlite3.Error | OSError, is_damaged: bool, remedy: str
) -> None:
    told = LedgerError.of("it cannot be opened", error, Path("ledger"))
    assert (told.what, told.where) == ("it cannot be opened: the cause", "ledger")
    assert told.damaged is is_damaged
    assert told.remedy is not None
    assert remedy in told.remedy
    assert LedgerError.of("it cannot be opened", error).where is None
