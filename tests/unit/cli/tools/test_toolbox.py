from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from typing import Any

import pytest

from devbridge import errors
from devbridge.cli.tools import arguments
from devbridge.cli.tools.toolbox import TOOLS, Stopped, Toolbox
from devbridge.config import Config
from devbridge.daemon.handlers_file import HandlersFile
from devbridge.daemon.told import AppBroken, Broken
from devbridge.runs import find
from devbridge.runs.ledger import Change
from devbridge.runs.model import State
from runner.outcome import Failure
from tests.unit.cli.one_run import ELSEWHERE, ONE, TWO, Invoker, book, invoker
from tests.unit.runs.books import Book

__all__ = ["book", "invoker"]

FAILURE = Failure(
    "ValueError", "num is 9", ('File "jobs/factorial.py", line 3, in handler\n    f()',)
)

Ask = Callable[..., Any]


@pytest.fixture
def ask(config: Config) -> Ask:
    """Calls a tool with these arguments."""
    toolbox = Toolbox(config)

    def call(name: str, stop: threading.Event | None = None, **given: object) -> Any:
        tool = TOOLS[name]
        return tool.call(toolbox, tool.takes(**given), stop or threading.Event())

    return call


@pytest.fixture
def dev(config: Config) -> HandlersFile:
    """`devbridge dev` runs here."""
    (config.lock).write_text(f"{os.getpid()}\n")
    return HandlersFile(config.handlers)


def schemas(config: Config) -> None:
    """`num` must be a number."""
    schema = {"type": "object", "properties": {"num": {"type": "integer"}}, "required": ["num"]}
    config.schemas.write_text(json.dumps({"factorial": schema}))


# --- jobs and runs ------------------------------------------------------------------------------


def test_a_job_is_listed_with_its_schema_and_its_last_run(
    config: Config, invoker: Invoker, book: Book, ask: Ask
) -> None:
    schemas(config)
    book.start(TWO)
    book.end(TWO, State.FAILED, failure=FAILURE)
    found = ask("list_jobs")
    assert (found["app"], found["stage"], found["runsAre"]) == ("demo", "ann", "live")
    (job,) = found["jobs"]
    assert (job["name"], job["file"], job["function"]) == (
        "factorial",
        "jobs/factorial.py",
        "handler",
    )
    assert job["payloadSchema"]["required"] == ["num"]
    assert job["lastRun"]["id"] in (ONE, TWO)


def test_jobs_are_listed_though_their_runs_cannot_be_had(config: Config, ask: Ask) -> None:
    (config.root / "app.py").write_text(
        "from devbridge import App, Job, Schedule\n"
        'hourly = Schedule("rate(1 hour)")\n'
        'Job(App("demo"), "gone", handler="jobs/gone.handler", triggers=[hourly])\n'
    )
    found = ask("list_jobs")
    (job,) = found["jobs"]
    assert job["handler"] == "missing"
    assert "jobs/gone" in job["error"]
    assert "jobs/gone" in found["lastRunsUnknown"]
    assert job["triggers"] == ["schedule rate-1-hour"]


def test_runs_are_found_by_job_and_state(book: Book, invoker: Invoker, ask: Ask) -> None:
    book.end(ONE, State.FAILED, failure=FAILURE)
    (failed,) = ask("list_runs", state="FAILED")["runs"]
    assert failed["id"] == ONE
    assert failed["error"] == "ValueError: num is 9 (jobs/factorial.py:3)"
    few = ask("list_runs", limit=1)
    assert (len(few["runs"]), few["note"]) == (1, "there are older ones: limit")
    assert ask("list_runs", job="factorial", state="CRASHED")["runs"] == []
    with pytest.raises(errors.UnknownJob):
        ask("list_runs", job="fatcorial")


def test_all_that_is_known_of_a_run_is_shown(book: Book, invoker: Invoker, ask: Ask) -> None:
    book.start(ONE)
    book.end(ONE, State.FAILED, failure=FAILURE)
    found = ask("show_run", run="aaaa1")
    assert found["error"]["where"] == "jobs/factorial.py:3"
    assert found["payload"] == {}
    assert [each["state"] for each in found["history"]] == ["QUEUED", "RUNNING", "FAILED"]
    assert "ended" not in found
    waits = ask("show_run", run=TWO)
    assert "no `devbridge dev` is here to go on with it" in waits["note"]


def test_of_a_run_elsewhere_it_is_said_that_its_payload_is_not_told(
    invoker: Invoker, book: Book, ask: Ask
) -> None:
    invoker.is_in("RUNNING")
    found = ask("show_run", run=ELSEWHERE, job="factorial")
    assert found["state"] == "RUNNING"
    assert found["payloadMissing"]


# --- starting and ending ------------------------------------------------------------------------


@pytest.mark.parametrize("payload", ['{"num": 5}', {"num": 5}])
def test_a_payload_is_json_text_or_the_value_of_a_client_that_takes_it_apart(
    payload: object, config: Config, invoker: Invoker, book: Book, ask: Ask
) -> None:
    schemas(config)
    invoker.answers(state="RUNNING")
    assert ask("invoke", job="factorial", payload=payload) == {
        "id": ELSEWHERE,
        "job": "factorial",
        "state": "RUNNING",
    }
    assert invoker.events[0]["payload"] == {"num": 5}
    assert invoker.events[0]["generatedKey"] is True


@pytest.mark.parametrize("payload", ["ann", "{num: 5}", "", [float("nan")], "[" * 100_000])
def test_what_is_no_json_is_refused_with_what_to_do(payload: object, ask: Ask) -> None:
    with pytest.raises(errors.PayloadNotJson) as error:
        ask("invoke", job="factorial", payload=payload)
    assert "give JSON text" in str(error.value)


def test_what_the_handler_would_refuse_is_not_sent_unless_that_is_wanted(
    config: Config, invoker: Invoker, book: Book, ask: Ask
) -> None:
    schemas(config)
    with pytest.raises(errors.PayloadInvalid) as error:
        ask("invoke", job="factorial", payload='{"num": "5"}')
    assert str(error.value).endswith("or send it all the same: check: false")
    assert invoker.events == []
    invoker.answers(state="RUNNING")
    ask("invoke", job="factorial", payload='{"num": "5"}', check=False)
    assert invoker.events[0]["payload"] == {"num": "5"}


def test_a_key_that_was_used_is_the_run_that_it_started(
    invoker: Invoker, book: Book, ask: Ask
) -> None:
    invoker.answers(state="RUNNING", duplicate=True)
    found = ask("invoke", job="factorial", idempotency_key="k")
    assert found["duplicate"] is True
    assert "generatedKey" not in invoker.events[0]


def test_where_nobody_runs_dev_it_is_said_that_the_run_waits(
    invoker: Invoker, book: Book, ask: Ask
) -> None:
    invoker.answers(state="QUEUED")
    found = ask("invoke", job="factorial", wait=True)
    assert found["state"] == "QUEUED"
    assert "nobody runs it now" in found["note"]


def test_a_run_is_run_again_with_its_payload_at_its_checkpoint_or_with_another(
    invoker: Invoker, book: Book, ask: Ask
) -> None:
    with book.ledger.transaction():
        book.ledger.reached(ONE, b'{"epoch": 3}')
        book.ledger.record(Change(job_id=ONE, state=State.FAILED, at=1.0))
    for _ in range(3):
        invoker.answers(state="RUNNING")
    assert ask("rerun", run=ONE)["beginsAtCheckpoint"] == {"epoch": 3}
    assert "beginsAtCheckpoint" not in ask("rerun", run=ONE, fresh=True)
    assert "beginsAtCheckpoint" not in ask("rerun", run=ONE, payload='{"num": 6}')
    assert [each.get("checkpoint") for each in invoker.events] == ['{"epoch": 3}', None, None]
    assert [each["payload"] for each in invoker.events] == [{}, {}, {"num": 6}]


def test_a_run_that_ends_is_waited_for(book: Book, dev: HandlersFile, ask: Ask) -> None:
    answers: list[Any] = []
    waiting = threading.Thread(target=lambda: answers.append(ask("wait", run=ONE)), daemon=True)
    waiting.start()
    book.start(ONE)
    book.end(ONE, result=b"120")
    waiting.join(30)
    assert (answers[0]["state"], answers[0]["result"]) == ("SUCCEEDED", 120)
    assert "ended" not in answers[0]


def test_a_run_that_goes_on_is_no_error(book: Book, dev: HandlersFile, ask: Ask) -> None:
    book.start(ONE)
    found = ask("wait", run=ONE, timeout_seconds=0.01)
    assert (found["state"], found["ended"]) == ("RUNNING", False)


def test_who_does_not_wait_any_more_is_not_waited_for(
    book: Book, dev: HandlersFile, ask: Ask
) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        ask("wait", stop, run=ONE)
    book.log(ONE, b"hello\n")
    with pytest.raises(Stopped):
        ask("read_log", stop, run=ONE)


def test_a_cancelled_run_says_what_it_was(book: Book, ask: Ask) -> None:
    book.end(ONE, result=b"1")
    found = ask("cancel", run=ONE)
    assert (found["was"], found["note"]) == ("SUCCEEDED", "already SUCCEEDED")


# --- logs ---------------------------------------------------------------------------------------


def test_a_log_is_read_in_parts(book: Book, ask: Ask) -> None:
    book.start(ONE)
    book.log(ONE, b"one\ntwo\nthree\n")
    text = ask("read_log", run=ONE, lines=1)
    assert text == (
        f"run {ONE} of factorial, RUNNING, and more may come: lines 3-3 of 3 lines\n3: three"
    )
    assert ask("read_log", run=ONE, find="TWO").endswith("1 of 3 lines has it\n2: two")
    assert ask("read_log", run=ONE, from_line=2).endswith("\n2: two\n3: three")


def test_why_there_is_nothing_in_a_log_is_said(book: Book, ask: Ask) -> None:
    assert ask("read_log", run=ONE) == "factorial is QUEUED: nothing printed yet"


def test_what_a_function_has_printed_is_read(config: Config, dev: HandlersFile, ask: Ask) -> None:
    (config.root / "api").mkdir()
    (config.root / "api" / "start.py").write_text("def handler(event, context): ...\n")
    (config.root / "app.py").write_text(
        "from devbridge import App, Function\n"
        'Function(App("demo"), "start", handler="api/start.handler")\n'
    )
    (config.stage_dir / "alive").touch()
    assert ask("read_function_log", function="start") == (
        "start, the last 10 minutes: none of 0 lines"
    )
    with pytest.raises(errors.NotFound, match="did you mean 'start'"):
        ask("read_function_log", function="strat")


# --- the loop of editing and running --------------------------------------------------------------


def test_without_devbridge_dev_it_is_said_how_to_start_it(
    config: Config, invoker: Invoker, ask: Ask
) -> None:
    HandlersFile(config.handlers).on(Broken("factorial", FAILURE, "w1"))
    found = ask("dev_status")
    assert (found["devRuns"], found["folder"]) == (False, str(config.root))
    assert "devbridge dev --local" in found["note"]
    assert "handler" not in found["jobs"][0]


def test_a_handler_that_cannot_be_loaded_is_named_with_its_place(
    invoker: Invoker, dev: HandlersFile, ask: Ask
) -> None:
    dev.on(Broken("factorial", FAILURE, "w1"))
    found = ask("dev_status")
    (job,) = found["jobs"]
    assert (found["devRuns"], job["handler"]) == (True, "broken")
    assert job["error"]["where"] == "jobs/factorial.py:3"


def test_an_app_that_cannot_be_deployed_or_loaded_says_why(
    config: Config, invoker: Invoker, dev: HandlersFile, ask: Ask
) -> None:
    dev.on(AppBroken("the queue cannot be replaced"))
    assert ask("dev_status")["appError"] == "the queue cannot be replaced"
    (config.root / "app.py").write_text("App(\n")
    found = ask("dev_status")
    assert "app.py:1" in found["appError"]
    assert "jobs" not in found


def test_the_mark_of_a_deployed_stage_is_seen(config: Config, book: Book, ask: Ask) -> None:
    find.mark_deployed(config)
    assert ask("dev_status")["runsAre"] == "deployed"


def test_each_tool_says_what_it_does() -> None:
    for name, tool in TOOLS.items():
        assert len(tool.description.split()) > 8, name
        assert tool.description.endswith((".", "line.")), name
        assert issubclass(tool.takes, arguments.Arguments)
