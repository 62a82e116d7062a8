"""`devbridge status`, `wait` and `cancel`, with a ledger here and with an invoker only."""

from __future__ import annotations

import io
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber
from click.testing import CliRunner, Result

from devbridge import errors
from devbridge.cli import main
from devbridge.cli import runs as runs_module
from devbridge.cli.cancel import what_happened
from devbridge.config import Config
from devbridge.runs import invoker as invoker_module
from devbridge.runs.model import State
from devbridge.runs.waiting import EXIT_CODES
from runner.outcome import Failure
from tests.unit.runs.books import Book
from tests.unit.runs.clouds import CodeBuild

ONE = "aaaa1111-0000-4000-8000-000000000001"
TWO = "aaaa2222-0000-4000-8000-000000000002"
ELSEWHERE = "bbbb3333-0000-4000-8000-000000000003"


@pytest.fixture
def book(config: Config) -> Iterator[Book]:
    book = Book(config)
    book.queue(ONE)
    book.queue(TWO)
    yield book
    book.ledger.close()


class Invoker:
    """The invoker's answers, put into botocore's own Lambda client, in a cloud without builds."""

    account = "123456789012"
    region = "eu-west-1"
    endpoint_url = None

    def __init__(self) -> None:
        self.client_ = boto3.client(
            "lambda", region_name="eu-west-1", aws_access_key_id="k", aws_secret_access_key="s"
        )
        self.stub = Stubber(self.client_)
        self.events: list[Any] = []
        self.client_.meta.events.register("provide-client-params.lambda.Invoke", self._note)

    def _note(self, params: dict[str, Any], **_: object) -> None:
        assert params["FunctionName"] == "demo_ann_factorial-invoker"
        self.events.append(json.loads(params["Payload"]))

    @property
    def asked(self) -> list[tuple[str, str]]:
        return [(event["action"], event["jobId"]) for event in self.events]

    def answers(self, **answer: object) -> None:
        body = json.dumps({"jobId": ELSEWHERE, **answer}).encode()
        payload = StreamingBody(io.BytesIO(body), len(body))
        self.stub.add_response("invoke", {"StatusCode": 200, "Payload": payload})

    def is_in(self, state: str, **more: object) -> None:
        self.answers(job="factorial", state=state, attempt=2, maxAttempts=3, **more)

    def client(self, service: str) -> Any:
        return {"lambda": self.client_, "codebuild": CodeBuild()}[service]


@pytest.fixture
def invoker(config: Config, monkeypatch: pytest.MonkeyPatch) -> Iterator[Invoker]:
    (config.root / "jobs").mkdir()
    (config.root / "jobs" / "factorial.py").write_text("def handler(payload): ...\n")
    (config.root / "app.py").write_text(
        "from devbridge import App, Job\n\n"
        'Job(App("demo"), "factorial", handler="jobs/factorial.handler")\n'
    )
    fake = Invoker()

    @contextmanager
    def cloud(used: Config) -> Iterator[Invoker]:
        assert used.stage == "ann"
        yield fake

    monkeypatch.setattr(runs_module, "cloud", cloud)
    monkeypatch.setattr(invoker_module, "POLL", 0.0)
    with fake.stub:
        yield fake
        fake.stub.assert_no_pending_responses()


def devbridge(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


# --- which run ----------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["status", "wait", "cancel"])
def test_a_beginning_that_fits_two_runs_lists_both(book: Book, command: str) -> None:
    result = devbridge(command, "aaaa")
    assert result.exit_code == errors.EXIT_NOT_FOUND
    assert ONE in result.stderr
    assert TWO in result.stderr


@pytest.mark.parametrize("command", ["status", "wait", "cancel"])
def test_a_run_that_is_not_in_the_ledger_needs_its_jobs_name(book: Book, command: str) -> None:
    result = devbridge(command, ELSEWHERE)
    assert result.exit_code == errors.EXIT_NOT_FOUND
    assert "--job NAME" in result.stderr


@pytest.mark.parametrize("command", ["status", "wait", "cancel"])
def test_a_beginning_of_an_id_is_never_asked_of_the_invoker(
    invoker: Invoker, book: Book, command: str
) -> None:
    result = devbridge(command, "bbbb", "--job", "factorial")
    assert result.exit_code == errors.EXIT_NOT_FOUND
    assert "see `devbridge jobs`" in result.stderr
    assert invoker.events == []


def test_a_wrong_jobs_name_is_refused(book: Book) -> None:
    result = devbridge("status", ONE, "--job", "other")
    assert result.exit_code == errors.EXIT_NOT_FOUND
    assert "is one of job 'factorial', not of 'other'" in result.stderr


@pytest.mark.parametrize("command", ["status", "wait", "cancel"])
def test_a_run_that_the_daemon_does_not_know_either_is_not_found(
    invoker: Invoker, command: str
) -> None:
    invoker.answers(error={"code": "UnknownRun", "message": "nothing is known of it"})
    result = devbridge(command, ELSEWHERE, "--job", "factorial")
    assert result.exit_code == errors.EXIT_NOT_FOUND
    assert "nothing is known of it" in result.stderr


# --- status -------------------------------------------------------------------------------------


def test_status_shows_all_that_the_ledger_has(book: Book) -> None:
    book.start(ONE, after=1)
    frame = 'File "jobs/factorial.py", line 3, in handler\n    return 1 / 0'
    failure = Failure("ZeroDivisionError", "division\nby zero", frames=(frame,))
    book.end(ONE, State.FAILED, after=1.25, failure=failure)
    lines = devbridge("status", "aaaa1").stdout.splitlines()
    assert lines[:4] == [
        f"id        {ONE}",
        "job       factorial",
        "state     FAILED",
        "attempt   1 of 1",
    ]
    assert [line.split()[0] for line in lines[4:7]] == ["asked", "started", "ended"]
    assert lines[7:14] == [
        "took      250ms",
        "exit      code 0",
        "error     ZeroDivisionError: division",
        "          by zero",
        '          ↳ File "jobs/factorial.py", line 3, in handler',
        "                return 1 / 0",
        f"log       {book.config.logs_dir / f'{ONE}.log'}",
    ]
    assert [line.split()[-1] for line in lines[14:]] == ["QUEUED", "RUNNING", "FAILED"]


def test_status_as_json_has_the_result_and_the_history(book: Book) -> None:
    book.start(ONE)
    book.end(ONE, result=b'{"rows": 5}')
    result = devbridge("status", ONE, "--json")
    run = json.loads(result.stdout)
    assert (run["id"], run["state"], run["result"]) == (ONE, "SUCCEEDED", {"rows": 5})
    assert [change["state"] for change in run["history"]] == ["QUEUED", "RUNNING", "SUCCEEDED"]
    assert result.stderr == ""


OBEYED = "\x1b]52;c;QUFB\x07\x1b[2J\u202e\x9b2J\x0b|  deadbeef  Done\r\nid        forged"


@pytest.mark.parametrize("command", ["status", "wait", "jobs"])
def test_what_a_run_says_is_text_to_the_terminal(book: Book, command: str) -> None:
    book.start(ONE)
    book.end(
        ONE,
        State.FAILED,
        failure=Failure(f"Type{OBEYED}", OBEYED, (f"jobs/{OBEYED}.py:1 in handler: x",)),
    )
    given = [] if command == "jobs" else [ONE]
    out = CliRunner().invoke(main, [command, *given]).stdout
    assert "\\x1b]52;c;QUFB\\x07\\x1b[2J\\u202e\\x9b2J\\x0b|  deadbeef" in out
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", out)
    assert not re.search("^id +forged|^[|]", out, re.MULTILINE)


@pytest.mark.parametrize("command", ["status", "wait", "jobs"])
def test_what_a_run_says_is_json_for_programs(book: Book, command: str) -> None:
    book.start(ONE)
    book.end(ONE, State.FAILED, failure=Failure("E", OBEYED))
    given = ["--job", "factorial"] if command == "jobs" else [ONE]
    out = CliRunner().invoke(main, [command, *given, "--json"]).stdout
    found = json.loads(out)
    found = next(each for each in found if each["id"] == ONE) if command == "jobs" else found
    assert found["error"]["message"] == OBEYED
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", out)


def test_status_says_when_nobody_is_here_to_go_on_with_the_run(book: Book) -> None:
    book.start(ONE)
    result = devbridge("status", ONE)
    assert "so far" in result.stdout
    assert "no `devbridge dev` of this stage is here" in result.stderr


def test_status_of_a_run_elsewhere_is_the_invokers(invoker: Invoker) -> None:
    named = ("status", ELSEWHERE.upper(), "--job", "factorial")
    invoker.is_in("FAILED", failure={"type": "KeyError", "message": "'x'"})
    assert devbridge(*named).stdout.splitlines()[2:] == [
        "state     FAILED",
        "attempt   2 of 3",
        "error     KeyError: 'x'",
    ]
    invoker.is_in("SUCCEEDED", result=0)
    assert devbridge(*named).stdout.splitlines()[-1] == "result    0"
    invoker.is_in("RUNNING")
    assert json.loads(devbridge(*named, "--json").stdout)["state"] == "RUNNING"
    assert set(invoker.asked) == {("result", ELSEWHERE)}


# --- wait ---------------------------------------------------------------------------------------


def test_every_final_state_has_its_own_exit_code() -> None:
    assert EXIT_CODES.keys() == {state for state in State if state.final}
    assert len(set(EXIT_CODES.values())) == len(EXIT_CODES)


@pytest.mark.parametrize("state", EXIT_CODES)
def test_wait_ends_with_the_exit_code_of_the_runs_state(book: Book, state: State) -> None:
    book.start(ONE)
    book.end(ONE, state)
    assert devbridge("wait", "aaaa1").exit_code == EXIT_CODES[state]


def test_wait_ends_when_the_run_does(book: Book) -> None:
    results: list[Result] = []
    command = threading.Thread(target=lambda: results.append(devbridge("wait", ONE)), daemon=True)
    command.start()
    book.start(ONE)
    book.end(ONE, result=b"120")
    command.join(20)
    assert results[0].exit_code == 0
    assert results[0].stdout == "Done    took 1.50s, result 120\n"


def test_wait_gives_up_when_its_time_is_over(book: Book) -> None:
    result = devbridge("wait", ONE, "--timeout", "0.01 seconds")
    assert result.exit_code == errors.EXIT_JOB_NOT_FINISHED
    assert "the run is QUEUED after 10ms" in result.stderr
    assert "no `devbridge dev` is here" in result.stderr


@pytest.mark.parametrize("time", ["10", "soon", "-1 second", "31 days"])
def test_a_timeout_that_is_no_time_is_a_usage_error(book: Book, time: str) -> None:
    result = devbridge("wait", ONE, "--timeout", time)
    assert result.exit_code == errors.EXIT_USAGE
    assert "'2 hours'" in result.stderr


def test_wait_for_a_run_elsewhere_asks_the_invoker_until_it_has_ended(invoker: Invoker) -> None:
    for state in ("QUEUED", "RUNNING", "TIMED_OUT", "TIMED_OUT"):
        invoker.is_in(state)
    result = devbridge("wait", ELSEWHERE, "--job", "factorial", "--json")
    assert result.exit_code == errors.EXIT_JOB_TIMED_OUT
    assert json.loads(result.stdout)["state"] == "TIMED_OUT"
    assert [action for action, _ in invoker.asked] == ["status", "status", "status", "result"]


# --- cancel -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("was", "state", "said"),
    [
        (State.QUEUED, State.CANCELLED, "was QUEUED: it will not start"),
        (State.RUNNING, State.CANCELLED, "was RUNNING: stopped"),
        (State.STARTING, State.CANCELLED, "was STARTING: it will not start"),
        (State.RUNNING, State.RUNNING, "cancelling: SIGTERM now, SIGKILL after the grace period"),
        (State.STARTING, State.STARTING, "cancelling: SIGTERM now, SIGKILL after the grace period"),
        (State.SUCCEEDED, State.SUCCEEDED, "already SUCCEEDED"),
        (State.CANCELLED, State.CANCELLED, "already CANCELLED"),
        (State.RUNNING, State.FAILED, "was RUNNING, and is FAILED now"),
    ],
)
def test_cancel_says_what_happened(was: State, state: State, said: str) -> None:
    assert what_happened(was, state) == said


def test_cancel_goes_through_the_jobs_invoker(invoker: Invoker, book: Book) -> None:
    invoker.answers(was="QUEUED", state="CANCELLED")
    result = devbridge("cancel", "aaaa1")
    assert result.stdout == f"{ONE}  factorial  was QUEUED: it will not start\n"
    assert invoker.asked == [("cancel", ONE)]


def test_cancel_works_for_a_run_that_only_another_machine_knows(invoker: Invoker) -> None:
    invoker.answers(was="RUNNING", state="RUNNING")
    result = devbridge("cancel", ELSEWHERE, "--job", "factorial", "--json")
    assert json.loads(result.stdout) == {
        "id": ELSEWHERE,
        "job": "factorial",
        "was": "RUNNING",
        "state": "RUNNING",
    }
    assert invoker.asked == [("cancel", ELSEWHERE)]


def test_cancelling_a_run_that_has_ended_asks_nobody(invoker: Invoker, book: Book) -> None:
    book.end(ONE, State.CRASHED)
    result = devbridge("cancel", ONE)
    assert (result.exit_code, result.stdout) == (0, f"{ONE}  factorial  already CRASHED\n")
    assert invoker.events == []


def test_cancel_tells_who_was_expected_when_nobody_is_there(invoker: Invoker, book: Book) -> None:
    invoker.answers(error={"code": "Offline", "message": "devbridge of ann@laptop is not running"})
    result = devbridge("cancel", ONE)
    assert result.exit_code == errors.EXIT_INVOKE
    assert "ann@laptop is not running" in result.stderr
