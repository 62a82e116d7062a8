from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from devbridge.cli import main
from devbridge.config import Config
from devbridge.errors import EXIT_APP, EXIT_CLOUD, EXIT_NOT_FOUND, EXIT_USAGE
from devbridge.runs.base import RunRecord
from devbridge.runs.ledger import Ledger
from devbridge.runs.model import State
from devbridge.runs.scheduled_store import ScheduledStore
from devbridge.runs.text import iso
from runner.outcome import Failure
from tests.unit.runs.books import Book

OLD = "11111111-0000-4000-8000-000000000001"
FAILED = "22222222-0000-4000-8000-000000000002"
NEW = "33333333-0000-4000-8000-000000000003"
LATER = "44444444-0000-4000-8000-000000000004"


@pytest.fixture
def book(config: Config) -> Iterator[Book]:
    book = Book(config)
    book.queue(OLD, "import-all", age=7300)
    book.start(OLD)
    book.end(OLD, after=3725.5, result=b'{"rows": 5}')
    book.queue(FAILED, age=150)
    book.start(FAILED, after=1)
    book.end(FAILED, State.FAILED, after=1.25, failure=Failure("ValueError", "num is 9"))
    book.queue(NEW)
    yield book
    book.ledger.close()


def jobs(*arguments: str) -> list[list[str]]:
    """The rows of `devbridge jobs`, split into words."""
    result = CliRunner().invoke(main, ["jobs", *arguments])
    assert result.exit_code == 0, result.output
    return [line.split() for line in result.output.splitlines()]


def test_runs_are_listed_newest_first_with_all_that_matters(book: Book) -> None:
    head, *rows = jobs()
    assert head == ["ID", "JOB", "STATE", "WHEN", "TOOK", "ERROR"]
    assert [row[:3] for row in rows] == [
        ["33333333", "factorial", "QUEUED"],
        ["22222222", "factorial", "FAILED"],
        ["11111111", "import-all", "SUCCEEDED"],
    ]
    assert rows[0][-1] == "-"
    assert rows[1][3:] == ["2", "min", "ago", "250ms", "ValueError"]
    assert rows[2][3:] == ["2", "h", "ago", "1h02m05s"]


def test_runs_that_wait_for_their_time_are_listed_with_it(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    record = RunRecord(
        job_id=LATER,
        job="factorial",
        state=State.SCHEDULED,
        created_at=now - 60,
        starts_at=now + 7200,
    )
    run = SimpleNamespace(record=record, tended=lambda: True)
    monkeypatch.setattr(ScheduledStore, "recent", lambda *_: [run])
    assert [row[2] for row in jobs()[1:]] == ["QUEUED", "FAILED", "SUCCEEDED"]
    book.config.later_jobs.write_text('["factorial"]')
    row = jobs()[2]
    assert row[:6] == ["44444444", "factorial", "SCHEDULED", "in", "2", "h"]
    assert row[6:] == [f"({iso(now + 7200)})", "-"]
    assert [row[0] for row in jobs("--state", "SCHEDULED")[1:]] == ["44444444"]


def test_that_the_cloud_does_not_tell_what_waits_hides_nothing_else(book: Book) -> None:
    (book.config.root / "a.py").write_text("def handler(payload): ...\n")
    (book.config.root / "app.py").write_text(
        "from devbridge import App, Job\n\n"
        'Job(App("demo"), "remind", handler="a.handler", later=True)\n'
    )
    book.config.later_jobs.write_text('["remind"]')
    result = CliRunner().invoke(main, ["jobs", "--local"])
    assert result.exit_code == 0
    assert "runs for a later time are not known now: " in result.stderr
    assert len(result.stdout.splitlines()) == 4


def test_a_filter_for_job_state_and_number(book: Book) -> None:
    assert [row[0] for row in jobs("--limit", "1")[1:-1]] == ["33333333"]
    assert [row[0] for row in jobs("--job", "import-all")[1:]] == ["11111111"]
    assert [row[0] for row in jobs("--state", "failed")[1:]] == ["22222222"]
    assert jobs("--job", "import-all", "--state", "failed") == [["no", "run", "matches"]]


@pytest.mark.parametrize("how", [(), ("--json",)])
def test_that_there_are_older_runs_than_those_shown_is_said(
    book: Book, how: tuple[str, ...]
) -> None:
    result = CliRunner().invoke(main, ["jobs", "--limit", "2", *how])
    assert result.stderr == "there are older runs than these: --limit 20\n"
    assert "33333333" in result.stdout
    assert "22222222" in result.stdout
    assert "11111111" not in result.stdout
    assert CliRunner().invoke(main, ["jobs", "--limit", "3", *how]).stderr == ""


def test_a_job_that_never_was_is_an_error_with_those_there_are(book: Book) -> None:
    (book.config.root / "jobs").mkdir()
    (book.config.root / "jobs" / "a.py").write_text("def handler(payload): ...\n")
    (book.config.root / "app.py").write_text(
        "from devbridge import App, Job\n\n"
        'Job(App("demo"), "factorial", handler="jobs/a.handler")\n'
    )
    result = CliRunner().invoke(main, ["jobs", "--job", "factorail"])
    assert result.exit_code == EXIT_NOT_FOUND
    assert "has no job 'factorail'; did you mean 'factorial'?" in result.stderr
    assert "use one of its jobs: factorial" in result.stderr


def test_how_long_a_run_takes_is_not_known_while_nobody_goes_on_with_it(book: Book) -> None:
    book.start(NEW)
    assert jobs("--limit", "1")[1][2:] == ["RUNNING", "now", "-"]
    lock = book.config.lock
    lock.write_text(f"{os.getpid()}\n")
    assert jobs("--limit", "1")[1][-1] != "-"


def test_a_job_with_retries_shows_which_attempt_it_is(book: Book) -> None:
    book.queue("aaaaaaaa-1", max_attempts=3)
    assert ["QUEUED", "1/3"] in [row[2:4] for row in jobs()]


def test_an_id_is_shown_as_long_as_it_must_be_to_be_unique(book: Book) -> None:
    book.queue("33333333-0000-4000-9000-000000000004", age=-1)
    ids = [row[0] for row in jobs()[1:]]
    assert ids == ["33333333-0000-4000-9", "33333333-0000-4000-8", "22222222", "11111111"]


def test_json_has_whole_ids_iso_times_and_the_error(book: Book) -> None:
    result = CliRunner().invoke(main, ["jobs", "--json"])
    new, failed, old = json.loads(result.output)
    assert new["id"] == NEW
    assert new["startedAt"] is new["endedAt"] is new["duration"] is new["result"] is None
    assert failed["error"] == {"type": "ValueError", "message": "num is 9"}
    assert failed["duration"] == 0.25
    assert old["result"] == {"rows": 5}
    assert old["createdAt"].endswith("Z")


def test_a_result_may_be_a_number_of_any_length(book: Book) -> None:
    book.start(NEW)
    book.end(NEW, result=b"9" * 5000)
    result = CliRunner().invoke(main, ["jobs", "--json"])
    assert "9" * 5000 in result.output


def test_before_the_first_run_of_dev_the_cloud_is_asked(config: Config) -> None:
    result = CliRunner().invoke(main, ["jobs", "--local"])
    assert result.exit_code == EXIT_CLOUD
    assert "devbridge dev --local" in result.stderr


def test_an_empty_ledger_says_how_to_start(config: Config) -> None:
    Ledger.open(config.ledger).close()
    result = CliRunner().invoke(main, ["jobs"])
    assert result.exit_code == 0
    assert "start `devbridge dev --local`" in result.output
    assert CliRunner().invoke(main, ["jobs", "--json"]).output == "[]\n"


def test_a_folder_without_an_app_and_a_wrong_state_are_refused(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert CliRunner().invoke(main, ["jobs", "--state", "LOST"]).exit_code == EXIT_USAGE
    monkeypatch.chdir(config.root.parent)
    result = CliRunner().invoke(main, ["jobs"])
    assert result.exit_code == EXIT_APP
    assert "devbridge init" in result.stderr
