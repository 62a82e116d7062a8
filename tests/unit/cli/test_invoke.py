from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber
from click.testing import CliRunner, Result

from devbridge import errors
from devbridge.cli import main
from devbridge.cli import runs as runs_module
from devbridge.config import Config
from devbridge.runs import invoker as invoker_module
from devbridge.runs import ledger_store
from devbridge.runs.model import State
from runner.outcome import Failure
from tests.unit.runs.books import Book
from tests.unit.runs.clouds import CloudFormation

JOB_ID = "44444444-0000-4000-8000-000000000004"
INVOKER = "demo_ann_factorial-invoker"


class FakeCloud:
    """A cloud with one Lambda client, whose calls botocore validates and a stub answers."""

    def __init__(self) -> None:
        self.lambda_ = boto3.client(
            "lambda",
            region_name="eu-west-1",
            aws_access_key_id="k",
            aws_secret_access_key="s",
        )
        self.stub = Stubber(self.lambda_)
        self.cloudformation = CloudFormation()
        self.events: list[Any] = []
        self.lambda_.meta.events.register("provide-client-params.lambda.Invoke", self._note)

    def _note(self, params: dict[str, Any], **_: object) -> None:
        self.events.append(json.loads(params["Payload"]))

    def answers(self, answer: object, **more: str) -> None:
        body = json.dumps(answer).encode()
        payload = StreamingBody(io.BytesIO(body), len(body))
        self.stub.add_response("invoke", {"StatusCode": 200, "Payload": payload, **more})

    def client(self, service: str) -> Any:
        return {"lambda": self.lambda_, "cloudformation": self.cloudformation}[service]

    def explained(self) -> AbstractContextManager[None]:
        return nullcontext()


@pytest.fixture
def there(config: Config, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCloud]:
    (config.root / "jobs").mkdir()
    (config.root / "jobs" / "factorial.py").write_text("def handler(payload): ...\n")
    (config.root / "app.py").write_text(
        "from devbridge import App, Job\n\n"
        'app = App("demo")\n'
        'Job(app, "factorial", handler="jobs/factorial.handler")\n'
        'Job(app, "import-all", handler="jobs/factorial.handler")\n'
    )
    fake = FakeCloud()

    @contextmanager
    def cloud(used: Config) -> Iterator[FakeCloud]:
        assert used.stage == "ann"
        yield fake

    monkeypatch.setattr(runs_module, "cloud", cloud)
    with fake.stub:
        yield fake


def invoke(*arguments: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(main, ["invoke", *arguments], input=stdin)


def accepted(state: str = "QUEUED", *, duplicate: bool = False) -> dict[str, object]:
    return {"jobId": JOB_ID, "state": state, "duplicate": duplicate}


def test_the_invoker_gets_what_the_apps_code_would_send(there: FakeCloud) -> None:
    there.answers(accepted("RUNNING"))
    result = invoke("factorial", "--payload", '{"num": 5}', "--idempotency-key", "monday")
    assert result.exit_code == 0, result.output
    assert there.events == [
        {"devbridge": 1, "action": "run", "idempotencyKey": "monday", "payload": {"num": 5}}
    ]
    assert result.stdout == f"{JOB_ID}  factorial  RUNNING\n"
    assert result.stderr == "see its output: devbridge logs 44444444 --follow\n"


def test_the_payload_comes_from_a_file_or_from_stdin_or_is_null(
    there: FakeCloud, tmp_path: Path
) -> None:
    (tmp_path / "payload.json").write_text('["\u2028", 0]')
    for _ in range(3):
        there.answers(accepted())
    invoke("factorial", "--payload", f"@{tmp_path / 'payload.json'}")
    invoke("factorial", "--payload", "-", stdin=b"false")
    invoke("factorial")
    assert [event["payload"] for event in there.events] == [["\u2028", 0], False, None]


def test_a_duplicate_is_said_to_be_one(there: FakeCloud) -> None:
    there.answers(accepted("SUCCEEDED", duplicate=True))
    result = invoke("factorial", "--idempotency-key", "monday")
    assert "SUCCEEDED  (the key was used before: this is its run)" in result.stdout


def test_json_has_the_answer(there: FakeCloud) -> None:
    there.answers(accepted())
    result = invoke("factorial", "--json")
    assert json.loads(result.stdout) == {
        "id": JOB_ID,
        "job": "factorial",
        "state": "QUEUED",
        "duplicate": False,
    }


SCHEDULED = {**accepted("SCHEDULED"), "startAt": "2030-01-31T07:00:00Z"}


@pytest.mark.parametrize("zone", ["+01:00", "Z"])
def test_a_run_for_a_later_time_is_told_with_it(there: FakeCloud, zone: str) -> None:
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=2)
    there.answers(SCHEDULED)
    result = invoke("factorial", "--at", f"{hour:%Y-%m-%dT%H:%M}{zone}")
    assert result.exit_code == 0, result.output
    start = hour - timedelta(hours=zone != "Z")
    (event,) = there.events
    assert (event["action"], event["startAt"]) == ("schedule", f"{start:%Y-%m-%dT%H:%M:%S}Z")
    assert result.stdout == (
        f"{JOB_ID}  factorial  SCHEDULED  starts at 2030-01-31T07:00:00.000Z\n"
    )


def test_a_run_may_be_asked_for_with_a_delay(there: FakeCloud) -> None:
    there.answers(SCHEDULED)
    result = invoke("factorial", "--delay", "2 hours", "--json")
    assert json.loads(result.stdout) == {
        **{"id": JOB_ID, "job": "factorial", "state": "SCHEDULED", "duplicate": False},
        "startAt": "2030-01-31T07:00:00.000Z",
    }
    start = datetime.fromisoformat(there.events[0]["startAt"])
    assert timedelta(minutes=119) < start - datetime.now(UTC) <= timedelta(hours=2, seconds=1)


def test_a_time_that_is_over_is_now(there: FakeCloud) -> None:
    there.answers(accepted())
    assert invoke("factorial", "--at", "2020-01-31T08:00Z").exit_code == 0
    assert there.events[0]["action"] == "run"
    assert "startAt" not in there.events[0]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--at", "2030-01-31T08:00"], "no time with its offset from UTC, such as 2030"),
        (["--at", "tomorrow"], "'tomorrow' is no time"),
        (["--at", "9999-01-31T08:00Z"], "more than 366 days ahead"),
        (["--delay", "soon"], "'soon' is not a time from 0 seconds to 366 days"),
        (["--delay", "-1s"], "'-1s' is not a time"),
        (["--delay", "1s", "--at", "2020-01-31T08:00Z"], "give --at or --delay, not both"),
    ],
)
def test_a_time_that_a_run_cannot_have_is_refused_with_what_to_give(
    there: FakeCloud, options: list[str], said: str
) -> None:
    result = invoke("factorial", *options)
    assert result.exit_code == errors.EXIT_USAGE
    assert said in result.stderr
    assert there.events == []


def test_a_run_for_a_later_time_is_waited_for_where_only_its_invoker_knows_it(
    there: FakeCloud, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invoker_module, "POLL", 0.0)
    known = {"jobId": JOB_ID, "job": "factorial", "attempt": 1, "maxAttempts": 1}
    there.answers(SCHEDULED)
    for state in ("SCHEDULED", "SUCCEEDED", "SUCCEEDED"):
        there.answers({**known, "state": state, "result": 120})
    result = invoke("factorial", "--delay", "2 hours", "--wait")
    assert result.stdout.splitlines()[-1] == "SUCCEEDED, result 120"


def test_a_payload_that_is_not_json_is_shown_and_nothing_is_sent(there: FakeCloud) -> None:
    result = invoke("factorial", "--payload", "{num: 5}")
    assert result.exit_code == errors.EXIT_PAYLOAD
    assert "line 1, column 2" in result.stderr
    assert "    {num: 5}\n     ^\n" in result.stderr
    assert there.events == []


def test_a_payload_that_the_handler_would_refuse_is_sent_only_if_it_is_meant_so(
    there: FakeCloud, config: Config
) -> None:
    number = {"type": "object", "properties": {"num": {"type": "integer"}}}
    config.schemas.write_text(json.dumps({"factorial": number}))
    result = invoke("factorial", "--payload", '{"num": "x"}')
    assert result.exit_code == errors.EXIT_PAYLOAD
    assert result.stderr == (
        "error: the payload is not what job 'factorial' takes: Expected `int`, got `str`\n"
        "  where: $.num\n"
        "  to do: send what its handler declares ($ is the payload itself);"
        " or send it all the same: --no-check\n"
    )
    assert there.events == []
    there.answers(accepted())
    assert invoke("factorial", "--payload", '{"num": "x"}', "--no-check").exit_code == 0
    assert there.events[0]["payload"] == {"num": "x"}


def test_a_payload_over_6_mb_is_refused(there: FakeCloud) -> None:
    result = invoke("factorial", "--payload", "-", stdin=b'"' + b"x" * 6 * 1024 * 1024 + b'"')
    assert result.exit_code == errors.EXIT_PAYLOAD
    assert "AWS Lambda takes 6,291,456" in result.stderr
    assert there.events == []


def test_an_unknown_job_lists_those_there_are_and_the_likely_one(there: FakeCloud) -> None:
    result = invoke("factorail")
    assert result.exit_code == errors.EXIT_NOT_FOUND
    assert "has no job 'factorail'; did you mean 'factorial'?" in result.stderr
    assert "factorial, import-all" in result.stderr


def test_a_stage_that_is_not_deployed_says_what_to_do(there: FakeCloud) -> None:
    there.stub.add_client_error("invoke", "ResourceNotFoundException", "Function not found")
    result = invoke("factorial")
    assert result.exit_code == errors.EXIT_NOT_FOUND
    assert "not deployed at stage 'ann'" in result.stderr
    assert INVOKER in result.stderr
    assert "devbridge dev" in result.stderr


def test_a_stage_whose_functions_have_other_names_is_to_be_deployed_again(there: FakeCloud) -> None:
    tags = {"devbridge:app": "demo", "devbridge:stage": "ann"}
    there.cloudformation.stacks["devbridge-demo-ann"] = {
        "StackName": "devbridge-demo-ann",
        "StackStatus": "CREATE_COMPLETE",
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
        "Outputs": [{"OutputKey": "DevbridgeMode", "OutputValue": "deployed"}],
    }
    there.stub.add_client_error("invoke", "ResourceNotFoundException", "Function not found")
    result = invoke("factorial")
    assert result.exit_code == errors.EXIT_NOT_FOUND
    assert "another version of devbridge" in result.stderr
    assert "devbridge deploy --stage ann" in result.stderr


@pytest.mark.parametrize(
    ("answer", "more", "said"),
    [
        ({"error": {"code": "Offline", "message": "nobody is here"}}, {}, "Offline: nobody"),
        ({"errorType": "Boom", "errorMessage": "bang"}, {"FunctionError": "Unhandled"}, "bang"),
    ],
)
def test_an_invoker_that_could_not_start_the_job_has_its_own_exit_code(
    there: FakeCloud, answer: object, more: dict[str, str], said: str
) -> None:
    there.answers(answer, **more)
    result = invoke("factorial")
    assert result.exit_code == errors.EXIT_INVOKE
    assert said in result.stderr


@pytest.fixture
def book(config: Config, monkeypatch: pytest.MonkeyPatch) -> Iterator[Book]:
    monkeypatch.setattr(ledger_store, "POLL", 0.01)
    book = Book(config)
    book.queue(JOB_ID)
    yield book
    book.ledger.close()


def test_waiting_ends_with_the_run(there: FakeCloud, book: Book) -> None:
    there.answers(accepted())
    results: list[Result] = []
    command = threading.Thread(
        target=lambda: results.append(invoke("factorial", "--wait")), daemon=True
    )
    command.start()
    book.start(JOB_ID)
    book.end(JOB_ID, result=b"120")
    command.join(20)
    (result,) = results
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        f"{JOB_ID}  factorial  QUEUED",
        "Done    took 1.50s, result 120",
    ]


def test_waiting_for_a_run_that_fails_ends_with_an_error(there: FakeCloud, book: Book) -> None:
    there.answers(accepted())
    book.start(JOB_ID)
    frame = 'File "jobs/factorial.py", line 3, in handler\n    return 1 / 0'
    failure = Failure("ZeroDivisionError", "division by zero", frames=(frame,))
    book.end(JOB_ID, State.FAILED, failure=failure)
    result = invoke("factorial", "--wait")
    assert result.exit_code == errors.EXIT_JOB_FAILED
    assert "Error   ZeroDivisionError: division by zero\n↳ File" in result.stdout


def test_waiting_with_json_prints_the_ended_run_once(there: FakeCloud, book: Book) -> None:
    there.answers(accepted())
    book.end(JOB_ID, result=b'{"sum": 1}')
    result = invoke("factorial", "--wait", "--json")
    assert json.loads(result.stdout)["result"] == {"sum": 1}


def test_waiting_without_a_ledger_asks_the_invoker(
    there: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invoker_module, "POLL", 0.0)
    known = {"jobId": JOB_ID, "job": "factorial", "attempt": 1, "maxAttempts": 1}
    there.answers(accepted())
    for state in ("RUNNING", "SUCCEEDED", "SUCCEEDED"):
        there.answers({**known, "state": state, "result": 120})
    result = invoke("factorial", "--wait")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == "SUCCEEDED, result 120"
    assert [event["action"] for event in there.events] == ["run", "status", "status", "result"]
