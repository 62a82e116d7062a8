from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from devbridge.daemon.keeper import Keeper, changed, keep
from devbridge.runs.ledger import Change, Ledger, NewRun
from devbridge.runs.ledger_file import LedgerError
from devbridge.runs.ledger_reader import LedgerReader
from devbridge.runs.model import Exit, State
from runner.outcome import Failure


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "stage"
    folder.mkdir()
    return folder / "ledger.sqlite"


@dataclass
class Book:
    """A keeper, what it has said, and a disk that can be full."""

    keeper: Keeper
    said: list[tuple[str, bool]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.keeper.say = lambda line, good: self.said.append((line, good))

    def add(self, *job_ids: str, payload: bytes = b"1") -> frozenset[str]:
        with self.keeper.transaction() as written:
            for job_id in job_ids:
                self.keeper.add(a_run(job_id, payload))
        return written.refused

    def record(self, *changes: Change) -> None:
        with self.keeper.transaction():
            for change in changes:
                self.keeper.record(change)

    def end(self, job_id: str, result: bytes = b"2") -> None:
        self.record(Change(job_id=job_id, state=State.SUCCEEDED, at=3.0, result=result))
        with self.keeper.transaction():
            self.keeper.closed(job_id)

    def states(self) -> dict[str, str]:
        """What another process sees."""
        with LedgerReader.open(self.keeper.path) as reader:
            return {entry.job_id: entry.state.value for entry in reader.recent()}


def a_run(job_id: str, payload: bytes = b"1") -> NewRun:
    return NewRun(job_id=job_id, job="j", payload=payload, created_at=1.0, log_path=f"/l/{job_id}")


def running(job_id: str) -> Change:
    return Change(job_id=job_id, state=State.RUNNING, at=2.0)


@pytest.fixture
def book(path: Path) -> Iterator[Book]:
    made = Book(keep(path)[0])
    yield made
    made.keeper.close()


@pytest.fixture
def full(book: Book, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bool], None]]:
    """Makes the disk full, and gives it room again: what SQLite and the system then say."""

    def fill(file: Path, size: int) -> None:
        raise OSError(28, "No space left on device", str(file))

    with monkeypatch.context() as patch:

        def set_(is_full: bool) -> None:
            if is_full:
                pages = book.keeper._db.execute("PRAGMA page_count").fetchone()[0]
                book.keeper._db.execute(f"PRAGMA max_page_count={pages}")
                patch.setattr("devbridge.daemon.keeper.fill", fill)
                patch.setattr("devbridge.daemon.disk.fill", fill)
            else:
                book.keeper._db.execute("PRAGMA max_page_count=1000000")
                patch.undo()

        yield set_


def fill_up(book: Book, full: Callable[[bool], None]) -> None:
    full(True)
    assert book.add("big", payload=b"x" * 100_000) == {"big"}


def test_a_full_disk_refuses_new_runs_and_keeps_the_ends_of_what_runs(
    book: Book, full: Callable[[bool], None]
) -> None:
    book.add("r1", "r2")
    book.record(running("r1"), running("r2"))
    fill_up(book, full)
    book.end("r1")
    book.record(Change(job_id="r2", state=State.CRASHED, at=3.0, exit=Exit(code=3)))
    assert book.add("r3") == {"r3"}

    assert book.keeper.get("r3") is None
    known = [book.keeper.get(job_id) for job_id in ("r1", "r2")]
    assert [(e.state, e.result, e.exit) for e in known if e] == [
        (State.SUCCEEDED, b"2", None),
        (State.CRASHED, None, Exit(code=3)),
    ]
    assert book.states() == {"r1": "RUNNING", "r2": "RUNNING"}
    assert [good for _, good in book.said] == [False]
    assert "full" in book.said[0][0]
    assert not book.keeper.flush()

    full(False)
    assert book.keeper.flush()
    assert book.states() == {"r1": "SUCCEEDED", "r2": "CRASHED"}
    assert book.add("r3") == frozenset()
    assert [good for _, good in book.said] == [False, True]
    assert book.keeper.owed == 0


def test_what_is_owed_is_written_in_the_reserve_when_it_is_closed_on_a_full_disk(
    book: Book, full: Callable[[bool], None], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book.add("r1")
    book.record(running("r1"))
    fill_up(book, full)
    book.end("r1")
    reserve = path.with_name("ledger.sqlite.reserve")
    assert reserve.stat().st_size > 0
    remove = Path.unlink

    def make_room(file: Path, **options: bool) -> None:
        if file == reserve:
            full(False)
        remove(file, **options)

    monkeypatch.setattr(Path, "unlink", make_room)
    book.keeper.close()
    with Ledger.open(path) as after:
        entry = after.get("r1")
        assert entry is not None
        assert (entry.state, entry.result, entry.closed) == (State.SUCCEEDED, b"2", True)


def test_what_cannot_be_written_at_all_is_said_when_it_is_closed(
    book: Book, full: Callable[[bool], None]
) -> None:
    book.add("r1")
    fill_up(book, full)
    book.record(running("r1"))
    book.keeper.close()
    assert book.said[-1] == ("1 change of a run is lost: the ledger could not be written", False)


def test_a_transaction_that_fails_in_its_block_leaves_nothing_behind(book: Book) -> None:
    book.add("r1")

    def fail() -> None:
        with book.keeper.transaction():
            book.keeper.record(running("r1"))
            book.keeper.add(a_run("r2"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    entry = book.keeper.get("r1")
    assert entry is not None
    assert entry.state is State.QUEUED
    assert book.keeper.get("r2") is None
    assert book.states() == {"r1": "QUEUED"}


def test_a_run_that_is_there_is_not_entered_again(book: Book) -> None:
    book.add("r1")
    book.record(running("r1"))
    book.end("r1")
    with book.keeper.transaction():
        assert not book.keeper.add(a_run("r1"))
    assert book.states() == {"r1": "SUCCEEDED"}


@pytest.mark.parametrize(
    "change",
    [
        running("r"),
        Change(job_id="r", state=State.QUEUED, at=4.0, attempt=2, failure=Failure("E", "m")),
        Change(job_id="r", state=State.FAILED, at=5.0, failure=Failure("E", "m", ("f",), ("t",))),
        Change(job_id="r", state=State.SUCCEEDED, at=5.0, result=b"[1]"),
        Change(job_id="r", state=State.CRASHED, at=5.0, exit=Exit(signal=9)),
    ],
)
@pytest.mark.parametrize("before", [(), (running("r"),)])
def test_what_is_remembered_is_what_the_file_has(
    book: Book, before: tuple[Change, ...], change: Change
) -> None:
    book.add("r")
    book.record(*before)
    known = book.keeper.get("r")
    assert known is not None
    book.record(change)
    with LedgerReader.open(book.keeper.path) as reader:
        assert book.keeper.get("r") == reader.get("r") == changed(known, change)


# --- the file -----------------------------------------------------------------------------------


def deleted(path: Path) -> None:
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()


def moved(path: Path) -> None:
    path.rename(path.with_name("elsewhere.sqlite"))


def log_deleted(path: Path) -> None:
    path.with_name(f"{path.name}-wal").unlink()


def replaced(path: Path) -> None:
    other = path.with_name("other.sqlite")
    Ledger.open(other).close()
    other.replace(path)


@pytest.mark.parametrize("happens", [deleted, moved, log_deleted, replaced])
def test_a_file_that_is_gone_is_made_again_with_all_its_history(
    book: Book, path: Path, happens: Callable[[Path], None]
) -> None:
    book.add("done", "runs", "waits")
    book.record(running("done"), running("runs"))
    book.end("done")
    happens(path)
    book.keeper.look()
    assert book.states() == {"done": "SUCCEEDED", "runs": "RUNNING", "waits": "QUEUED"}
    book.end("runs")
    assert book.states()["runs"] == "SUCCEEDED"
    assert book.keeper.payload("waits") == b"1"
    assert len(book.said) == 1
    assert book.said[0][0].endswith("with all that was in it") or "set-aside" in book.said[0][0]
    book.keeper.look()
    assert len(book.said) == 1


def garbage(path: Path) -> None:
    path.write_bytes(b"\xff" * path.stat().st_size)
    path.with_name(f"{path.name}-wal").write_bytes(b"")


def cut_off(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    with path.open("r+b") as file:
        file.truncate(5000)


@pytest.mark.parametrize("happens", [garbage, cut_off])
def test_a_file_that_is_damaged_while_it_is_used_is_set_aside_and_nothing_that_runs_is_lost(
    book: Book, path: Path, happens: Callable[[Path], None]
) -> None:
    book.add("runs", "again", payload=b"7" * 3000)
    book.record(running("runs"), running("again"))
    happens(path)
    book.keeper.look()
    book.end("runs")
    assert book.add("new") == frozenset()
    book.keeper.look()
    states = book.states()
    assert states["runs"] == "SUCCEEDED"
    assert states["again"] == "RUNNING"
    assert states["new"] == "QUEUED"
    assert book.keeper.payload("new") == b"1"
    assert book.keeper.trouble is None
    assert len(list(path.parent.glob("*.set-aside"))) == 1
    assert any("set-aside" in line for line, _ in book.said)


def no_database(path: Path) -> None:
    path.write_bytes(b"not a database, and long enough for its header" * 100)


def truncated(path: Path) -> None:
    Book(Keeper.open(path)).keeper.close()
    with path.open("r+b") as file:
        file.truncate(5000)


def a_page_of_garbage(path: Path) -> None:
    book = Book(Keeper.open(path))
    book.add("r1", payload=b"x" * 50_000)
    book.keeper.close()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096)


def another_schema(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.executescript("CREATE TABLE runs (id); PRAGMA user_version=1;")
    other.close()


def of_another_program(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.executescript("CREATE TABLE cats (name);")
    other.close()


def a_folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    "situation",
    [no_database, truncated, a_page_of_garbage, another_schema, of_another_program, a_folder],
)
def test_a_ledger_that_is_damaged_at_the_start_is_set_aside_with_its_path_said(
    path: Path, situation: Callable[[Path], None]
) -> None:
    situation(path)
    keeper, said = keep(path)
    (aside,) = path.parent.glob("*.set-aside")
    assert str(aside) in said
    book = Book(keeper)
    book.add("r1")
    assert book.states() == {"r1": "QUEUED"}
    keeper.close()
    again, said = keep(path)
    assert said == ""
    again.close()


def test_what_had_not_ended_is_taken_over_from_a_damaged_ledger_where_it_can_be_read(
    path: Path,
) -> None:
    book = Book(Keeper.open(path))
    book.add("waits", payload=b'"kept"')
    book.keeper.close()
    with sqlite3.connect(path) as other:
        other.execute("DROP TABLE transitions")
    other.close()
    keeper, said = keep(path)
    assert "1 run that had not ended was found in it" in said
    assert [entry.job_id for entry in keeper.live()] == ["waits"]
    assert keeper.payload("waits") == b'"kept"'
    keeper.close()


def test_a_ledger_that_cannot_be_written_is_not_set_aside(path: Path) -> None:
    Ledger.open(path).close()
    shutil.rmtree(path.parent)
    with pytest.raises(LedgerError) as caught:
        keep(path)
    assert not caught.value.damaged


# --- beside other processes ---------------------------------------------------------------------


def test_a_process_that_has_written_and_ends_takes_no_log_away(book: Book) -> None:
    """As `devbridge prune` does; SQLite deletes the log with the last one that has a lock."""
    write = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.execute('DELETE FROM runs')"
    book.keeper.look()
    subprocess.run([sys.executable, "-Ic", f"{write}; db.close()", book.keeper.path], check=True)
    book.keeper.look()
    assert book.said == []


# --- checkpoints --------------------------------------------------------------------------------


def stored(path: Path, job_id: str) -> bytes | None:
    """What another process sees."""
    with LedgerReader.open(path) as reader:
        return reader.checkpoint(job_id)


def test_a_checkpoint_is_written_at_once_and_null_is_none(book: Book, path: Path) -> None:
    book.add("r1")
    book.record(running("r1"))
    book.keeper.note_checkpoint("r1", b"7")
    assert book.keeper.checkpoint("r1") == stored(path, "r1") == b"7"
    book.keeper.note_checkpoint("r1", b"null")
    assert book.keeper.checkpoint("r1") is stored(path, "r1") is None


def test_one_that_cannot_be_written_is_known_and_the_next_one_is_written(
    book: Book, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book.add("r1")
    book.record(running("r1"))
    with monkeypatch.context() as patch:
        patch.setattr(book.keeper, "trouble", LedgerError("the disk is full"))
        book.keeper._reached["r1"] = b"7"
        assert book.keeper.checkpoint("r1") == b"7"
        assert stored(path, "r1") is None
    book.keeper.note_checkpoint("r1", b"8")
    assert stored(path, "r1") == b"8"


def test_it_is_entered_in_a_fresh_ledger(book: Book, path: Path) -> None:
    book.add("r1")
    book.record(running("r1"))
    book.keeper.note_checkpoint("r1", b"7")
    path.unlink()
    book.keeper.look()
    assert stored(path, "r1") == b"7"


def test_the_next_daemon_knows_where_a_run_has_come(book: Book, path: Path) -> None:
    book.add("r1", "r2")
    book.record(running("r1"))
    book.keeper.note_checkpoint("r1", b"7")
    book.keeper.close()
    book.keeper, _ = keep(path)
    assert (book.keeper.checkpoint("r1"), book.keeper.checkpoint("r2")) == (b"7", None)
