from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from devbridge import errors
from devbridge.cli import main
from devbridge.config import Config
from devbridge.runs.ledger import Change
from devbridge.runs.lock import only_one
from devbridge.runs.model import State
from devbridge.runs.pruning import forget_old_runs
from tests.unit.runs.books import Book

DAY = 24 * 3600.0
OLD = "11111111-0000-4000-8000-000000000001"
NEW = "22222222-0000-4000-8000-000000000002"
LIVE = "33333333-0000-4000-8000-000000000003"


@pytest.fixture
def book(config: Config) -> Iterator[Book]:
    book = Book(config)
    book.queue(OLD, age=14.1 * DAY)
    book.end(OLD, State.FAILED)
    book.queue(NEW, age=13.9 * DAY)
    book.end(NEW)
    book.queue(LIVE, age=20 * DAY)
    book.start(LIVE)
    for job_id in (OLD, NEW, LIVE):
        book.log(job_id, b"x" * 2048)
    yield book
    book.ledger.close()


def prune(*arguments: str) -> Result:
    result = CliRunner().invoke(main, ["prune", *arguments])
    assert result.exit_code == 0, result.output
    return result


def ids(book: Book) -> set[str]:
    return {entry.job_id for entry in book.ledger.recent()}


def logs(config: Config) -> set[str]:
    return {path.name for path in config.logs_dir.iterdir()}


def test_what_ended_more_than_14_days_ago_is_forgotten_with_its_log(book: Book) -> None:
    result = prune()
    assert result.stdout.startswith("removed 1 run that ended before ")
    assert "and 1 log file of 2.0 KB" in result.stdout
    assert ids(book) == {NEW, LIVE}
    assert logs(book.config) == {f"{NEW}.log", f"{LIVE}.log"}
    assert prune().stdout.startswith("removed 0 runs")


def test_a_dry_run_says_the_same_and_removes_nothing(book: Book) -> None:
    said = json.loads(prune("--dry-run", "--json").stdout)
    assert (said["dryRun"], said["runs"], said["logs"], said["logBytes"]) == (True, 1, 1, 2048)
    assert ids(book) == {OLD, NEW, LIVE}
    assert len(logs(book.config)) == 3
    done = json.loads(prune("--json").stdout)
    assert (done["dryRun"], done["runs"], done["logs"], done["logBytes"]) == (False, 1, 1, 2048)


def test_a_shorter_time_warns_that_idempotency_keys_are_forgotten(book: Book) -> None:
    result = prune("--older-than", "1 hour")
    assert "idempotency keys starts a new run" in result.stderr
    assert ids(book) == {LIVE}


def test_a_run_that_has_not_ended_is_never_removed_however_old_it_is(book: Book) -> None:
    prune("--older-than", "1 hour")
    assert ids(book) == {LIVE}
    assert logs(book.config) == {f"{LIVE}.log"}


def test_what_rotation_left_of_a_log_is_removed_with_it(book: Book) -> None:
    (book.config.logs_dir / f"{OLD}.log.1").write_bytes(b"older")
    prune()
    assert logs(book.config) == {f"{NEW}.log", f"{LIVE}.log"}


def test_logs_are_found_after_the_apps_folder_was_moved(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    book.ledger.close()
    moved = book.config.root.rename(book.config.root.with_name("moved"))
    monkeypatch.chdir(moved)
    prune()
    assert not (moved / ".devbridge" / "ann" / "logs" / f"{OLD}.log").exists()


def test_a_log_that_is_gone_already_is_no_error(book: Book) -> None:
    (book.config.logs_dir / f"{OLD}.log").unlink()
    assert "and 0 log files" in prune().stdout


def large_run(book: Book) -> None:
    """An old run whose result takes most of the ledger."""
    with book.ledger.transaction():
        book.ledger.record(
            Change(
                job_id=OLD, state=State.SUCCEEDED, at=book.began - 15 * DAY, result=b"1" * 4_000_000
            )
        )


def test_the_ledgers_file_gets_smaller_when_it_pays(book: Book) -> None:
    large_run(book)
    assert json.loads(prune("--json").stdout)["ledgerBytes"] < 200_000


def test_the_ledger_is_not_written_anew_while_a_daemon_uses_it(book: Book) -> None:
    large_run(book)
    with only_one(book.config.lock, "ann"):
        assert json.loads(prune("--json").stdout)["ledgerBytes"] > 4_000_000
    assert json.loads(prune("--json").stdout)["ledgerBytes"] < 200_000


def test_a_daemon_that_starts_forgets_what_ended_two_weeks_ago_and_nothing_else(book: Book) -> None:
    forget_old_runs(book.config, book.ledger)
    assert ids(book) == {NEW, LIVE}
    assert not any(OLD in name for name in logs(book.config))


def test_before_the_first_run_there_is_nothing_to_prune(config: Config) -> None:
    assert prune().stdout.startswith("removed 0 runs")
    assert not Path(config.ledger).exists()


@pytest.mark.parametrize("time", ["1 minute", "14", "never"])
def test_a_time_that_is_too_short_or_none_is_a_usage_error(config: Config, time: str) -> None:
    result = CliRunner().invoke(main, ["prune", "--older-than", time])
    assert result.exit_code == errors.EXIT_USAGE
