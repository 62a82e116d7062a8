from __future__ import annotations

from typing import Any

import pytest
from click.shell_completion import ShellComplete

from devbridge.cli import main
from devbridge.config import Config
from devbridge.runs.queued import Queued
from tests.unit.runs.books import Book

ONE = "aaaa1111-0000-4000-8000-000000000001"
TWO = "aaaa2222-0000-4000-8000-000000000002"


def offered(*words: str) -> list[tuple[str, Any]]:
    """What is offered for the last word."""
    *before, typed = words
    completer = ShellComplete(main, {}, "devbridge", "_DEVBRIDGE_COMPLETE")
    return [(item.value, item.help) for item in completer.get_completions(before, typed)]


def values(*words: str) -> list[str]:
    return [value for value, _ in offered(*words)]


def test_commands_and_options_are_offered_with_what_they_do() -> None:
    assert ("jobs", "List the runs of this stage, the newest first.") in offered("jo")
    assert "--follow" in values("logs", "--fo")


@pytest.mark.parametrize("before", [("invoke",), ("jobs", "--job"), ("status", "x", "--job")])
def test_jobs_are_offered_by_name(config: Config, before: tuple[str, ...]) -> None:
    assert values(*before, "") == []
    config.job_names.write_text('["factorial", "import-all"]')
    assert values(*before, "") == ["factorial", "import-all"]
    assert values(*before, "imp") == ["import-all"]


def test_stages_of_the_folder_are_offered(config: Config) -> None:
    (config.state_dir / "prod" / "logs").mkdir(parents=True)
    assert values("jobs", "--stage", "") == ["ann", "prod"]
    assert values("jobs", "--stage", "p") == ["prod"]


@pytest.mark.parametrize("command", ["status", "logs", "wait", "cancel", "rerun", "result"])
def test_runs_are_offered_the_newest_first_with_job_and_state(config: Config, command: str) -> None:
    assert offered(command, "") == []
    book = Book(config)
    book.queue(ONE, age=120)
    book.ledger.close()
    Queued(config.stage_dir).add(TWO, "import-all")
    assert offered(command, "") == [
        ("aaaa2222", "import-all QUEUED now"),
        ("aaaa1111", "factorial QUEUED 2 min ago"),
    ]
    assert values(command, "aaaa1") == ["aaaa1111"]
    assert values(command, ONE[:12]) == [ONE]
    assert values(command, "--stage", "other", "") == []
