from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner, Result

from devbridge.cli import function_logs, main
from devbridge.config import Config
from devbridge.daemon.log_files import function_log
from devbridge.errors import (
    EXIT_CLOUD,
    EXIT_NOT_FOUND,
    CloudNotRunning,
)
from devbridge.runs.function_file import request_line
from devbridge.runs.model import State
from tests.unit.runs.books import Book

ONE = "add11111-0000-4000-8000-000000000001"
APP = """\
from devbridge import Api, App, Function, Job
app = App("shop")
Job(app, "count", handler="jobs/count.handler")
Function(app, "add", handler="api/add.handler")
Api(app, "api", routes={"POST /start": "api/start.handler"})
"""


class CloudWatch:
    """Has what functions printed, by their log groups."""

    class exceptions:  # noqa: N801 - as botocore's clients have it
        class ResourceNotFoundException(ClientError):
            pass

    def __init__(self) -> None:
        self.groups: dict[str, list[str]] = {}
        self.since = 0.0

    def filter_log_events(self, **asked: Any) -> dict[str, Any]:
        self.since = asked["startTime"] / 1000
        if asked["logGroupName"] not in self.groups:
            raise self.exceptions.ResourceNotFoundException(
                {"Error": {"Code": "ResourceNotFoundException"}}, "FilterLogEvents"
            )
        now = int(time.time() * 1000)
        return {
            "events": [
                {"eventId": str(i), "timestamp": now, "logStreamName": "s", "message": message}
                for i, message in enumerate(self.groups[asked["logGroupName"]])
            ]
        }


@pytest.fixture
def app(config: Config) -> Path:
    (config.root / "app.py").write_text(APP)
    return config.root


@pytest.fixture
def book(config: Config) -> Iterator[Book]:
    """The ledger of a stage that `devbridge dev` has run."""
    made = Book(config)
    yield made
    made.ledger.close()


@pytest.fixture
def logs(app: Path, monkeypatch: pytest.MonkeyPatch) -> CloudWatch:
    made = CloudWatch()

    @contextlib.contextmanager
    def cloud(config: Config) -> Iterator[Any]:
        yield SimpleNamespace(client=lambda service: made)

    monkeypatch.setattr(function_logs, "cloud", cloud)
    return made


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["logs", *arguments])


@pytest.fixture
def group(config: Config) -> Callable[[str], str]:
    return lambda function: f"/aws/lambda/shop_{config.stage}_{function}-fn"


def test_what_a_function_printed_is_printed(logs: CloudWatch, group: Callable[[str], str]) -> None:
    logs.groups[group("api-start")] = ["hello", "\x1b[2J"]
    done = run("api-start")
    assert (done.exit_code, done.stdout) == (0, "hello\n\\x1b[2J\n")
    assert abs(time.time() - 3600 - logs.since) < 60
    run("api-start", "--since", "2 minutes")
    assert abs(time.time() - 120 - logs.since) < 60


def test_a_name_that_could_be_an_id_is_a_functions(
    book: Book, logs: CloudWatch, group: Callable[[str], str]
) -> None:
    logs.groups[group("add")] = ["of the function"]
    book.queue(ONE)
    book.log(ONE, b"of the run\n")
    assert run("add").stdout == "of the function\n"
    assert run("add1").stdout == "of the run\n"
    refused = run("add1", "--since", "1 hour")
    assert refused.exit_code == 2
    assert "--since is for functions" in refused.stderr


def test_a_function_that_printed_nothing_is_said_to(
    logs: CloudWatch, group: Callable[[str], str]
) -> None:
    logs.groups[group("api-start")] = []
    done = run("api-start")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "api-start has printed nothing in the last 1h00m00s" in done.stderr


def test_a_function_that_is_not_deployed_is_said_to_be(logs: CloudWatch) -> None:
    done = run("api-start")
    assert done.exit_code == EXIT_NOT_FOUND
    assert "Function 'api-start' is not deployed at stage" in done.stderr


def test_a_jobs_name_and_one_that_nothing_has_are_told_apart(book: Book, logs: CloudWatch) -> None:
    job, nothing = run("count"), run("nothing")
    assert job.exit_code == nothing.exit_code == EXIT_NOT_FOUND
    assert "devbridge jobs --job count" in job.stderr
    assert "for functions `devbridge logs`" in nothing.stderr
    assert "did you mean 'api-start'?" in run("api-strat").stderr


def test_without_its_cloud_it_is_said_what_is_kept(
    config: Config, app: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cloud(config: Config) -> Any:
        raise CloudNotRunning("the embedded cloud is not running", where="x", remedy="y")

    monkeypatch.setattr(function_logs, "cloud", cloud)
    kept = "what it printed while `devbridge dev` ran is in .devbridge/"
    assert kept not in run("api-start").stderr
    path = function_log(config.logs_dir, "api-start")
    path.parent.mkdir(parents=True)
    path.touch()
    done = run("api-start")
    assert done.exit_code == EXIT_CLOUD
    assert kept in done.stderr
    (app / "jobs").mkdir(exist_ok=True)
    monkeypatch.chdir(app / "jobs")
    assert f"is in {path}\n" in run("api-start").stderr


def test_without_a_name_it_lists_runs_and_functions(book: Book, logs: CloudWatch) -> None:
    book.queue(ONE)
    book.start(ONE)
    book.end(ONE, State.SUCCEEDED)
    done = run()
    assert done.exit_code == 0, done.stderr
    head, of_run, functions = done.stdout.splitlines()
    assert head.split() == ["ID", "JOB", "STATE", "WHEN"]
    assert of_run.startswith("add11111 ")
    assert functions == "functions: add, api-start"


@pytest.fixture
def kept(config: Config) -> Path:
    """What `devbridge dev` has kept of a live function: a request of long ago, and one of now."""
    path = function_log(config.logs_dir, "api-start")
    path.parent.mkdir(parents=True)
    now = time.time()
    old, new = request_line("GET /old 200", now - 7200), request_line("GET /new 200", now - 60)
    path.write_text(f"old\n{old}new\n{new}")
    return path


def test_of_a_live_function_what_dev_has_kept_comes_first(
    kept: Path, logs: CloudWatch, group: Callable[[str], str]
) -> None:
    logs.groups[group("api-start")] = ["since then"]
    done = run("api-start")
    first, request, last = done.stdout.splitlines()
    assert (first, last) == ("new", "since then")
    assert request.endswith("Z GET /new 200")
    assert abs(logs.since - kept.stat().st_mtime) < 1
    assert "GET /old 200" in run("api-start", "--since", "3 hours").stdout
    assert run("api-start", "--all").stdout == "since then\n"


def test_while_dev_runs_nobody_else_is_asked(kept: Path, config: Config, logs: CloudWatch) -> None:
    (config.lock).write_text(f"{os.getpid()}\n")
    done = run("api-start")
    assert done.exit_code == 0
    assert done.stdout.startswith("new\n")


def test_of_a_function_that_is_not_live_cloudwatch_is_asked_though_dev_runs(
    app: Path, config: Config, logs: CloudWatch, group: Callable[[str], str]
) -> None:
    (app / "app.py").write_text(APP.replace('add.handler"', 'add.handler", enable_live_dev=False'))
    (config.lock).write_text(f"{os.getpid()}\n")
    logs.groups[group("add")] = ["from there"]
    assert run("add").stdout == "from there\n"
