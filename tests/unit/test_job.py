from __future__ import annotations

import dataclasses
import datetime
import enum
import functools
import io
import json
import sys
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, TypedDict

import botocore.session
import msgspec
import pydantic
import pytest
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber

from devbridge import job as module
from devbridge.errors import (
    InvokeError,
    JobCancelled,
    JobCrashed,
    JobFailed,
    JobNotFinished,
    JobTimedOut,
    NotFound,
    PayloadInvalid,
    PayloadNotJson,
    PayloadTooLarge,
    TimeNotAllowed,
    UnknownJob,
    UnknownRun,
)
from devbridge.job import Job, JobCancellation, JobRun, JobStatus, job_handler
from devbridge.payload.encode import dump

FUNCTION = "demo_dev_factorial-invoker"


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Inner:
    when: datetime.date


@dataclasses.dataclass
class Order:
    num: int
    inner: list[Inner] = dataclasses.field(default_factory=list)


class OrderDict(TypedDict):
    num: int


class OrderStruct(msgspec.Struct):
    num: int
    label: str = msgspec.field(default="x", name="theLabel")


class OrderModel(pydantic.BaseModel):
    num: int
    when: datetime.date | None = None


class Lambda:
    """botocore's Lambda client with answers put in, so that calls are checked by its model."""

    def __init__(self) -> None:
        self.client = _client()
        self.stub = Stubber(self.client)
        self.events: list[Any] = []

    def sent(self, params: dict[str, Any], **_: Any) -> None:
        self.events.append(json.loads(params["Payload"]))

    def answer(self, body: Any, **fields: str) -> None:
        data = json.dumps(body).encode()
        response = {"Payload": StreamingBody(io.BytesIO(data), len(data)), **fields}
        expected = {
            "FunctionName": FUNCTION,
            "InvocationType": "RequestResponse",
            "Payload": ANY,
        }
        self.stub.add_response("invoke", {"StatusCode": 200, **response}, expected)


@functools.cache
def _client() -> Any:
    return botocore.session.get_session().create_client(
        "lambda", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x"
    )


@pytest.fixture
def invoker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lambda]:
    fake = Lambda()
    monkeypatch.setattr(module, "_client", lambda: fake.client)
    monkeypatch.setenv("DEVBRIDGE_Job_functionName_factorial", FUNCTION)
    events = fake.client.meta.events
    events.register("provide-client-params.lambda.Invoke", fake.sent)
    with fake.stub:
        yield fake
    events.unregister("provide-client-params.lambda.Invoke", fake.sent)
    fake.stub.assert_no_pending_responses()


@pytest.mark.parametrize(
    "payload",
    [
        0,
        False,
        "",
        None,
        [],
        {},
        {"num": 100},
        "\u2028",
        "\U0001f600",
        "中" * 50_000,
        1.5,
        "\ud800",
    ],
)
def test_every_json_value_arrives_as_it_is(invoker: Lambda, payload: Any) -> None:
    invoker.answer({"jobId": "j", "state": "QUEUED", "duplicate": False})
    assert Job.factorial.run(payload=payload) == JobRun("j", "QUEUED")
    event = invoker.events[0]
    assert event["payload"] == payload
    assert type(event["payload"]) is type(payload)
    assert (event["devbridge"], event["action"]) == (1, "run")


def test_a_run_without_a_key_gets_one_so_that_a_retried_call_starts_one_run(
    invoker: Lambda,
) -> None:
    for _ in range(2):
        invoker.answer({"jobId": "j", "state": "QUEUED"})
        Job.factorial.run()
    first, second = (event["idempotencyKey"] for event in invoker.events)
    assert uuid.UUID(first) != uuid.UUID(second)
    assert [event["generatedKey"] for event in invoker.events] == [True, True]


def test_an_idempotency_key_is_sent_and_a_duplicate_told(invoker: Lambda) -> None:
    invoker.answer({"jobId": "j", "state": "RUNNING", "duplicate": True})
    assert Job.factorial.run({"num": 1}, idempotency_key="k").duplicate
    assert invoker.events[0]["idempotencyKey"] == "k"
    assert "generatedKey" not in invoker.events[0]


@pytest.mark.parametrize("key", [None, "k"])
def test_a_run_for_a_later_time_is_scheduled(invoker: Lambda, key: str | None) -> None:
    invoker.answer({"jobId": "j", "state": "SCHEDULED", "duplicate": False})
    at = datetime.datetime.now(datetime.UTC).replace(microsecond=0) + datetime.timedelta(days=2)
    assert Job.factorial.run({"num": 1}, at=at, idempotency_key=key) == JobRun("j", "SCHEDULED")
    (event,) = invoker.events
    assert (event["action"], event["payload"]) == ("schedule", {"num": 1})
    assert event["startAt"] == f"{at:%Y-%m-%dT%H:%M:%SZ}"
    assert event["idempotencyKey"] if key is None else event["idempotencyKey"] == "k"


@pytest.mark.parametrize(
    "times", [{"at": datetime.datetime(1999, 1, 1, tzinfo=datetime.UTC)}, {"delay": "0s"}]
)
def test_a_run_whose_time_is_over_is_started_now(invoker: Lambda, times: dict[str, Any]) -> None:
    invoker.answer({"jobId": "j", "state": "QUEUED"})
    Job.factorial.run(**times)
    (event,) = invoker.events
    assert event["action"] == "run"
    assert "startAt" not in event


@pytest.mark.parametrize("times", [{"at": datetime.datetime(2999, 1, 1)}, {"delay": "soon"}])
def test_a_time_that_is_none_is_refused_before_anything_is_sent(
    invoker: Lambda, times: dict[str, Any]
) -> None:
    with pytest.raises(TimeNotAllowed):
        Job.factorial.run(**times)
    assert invoker.events == []


def test_a_payload_is_checked_against_the_jobs_schema_before_it_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    checked = []

    def check(job: str, value: Any) -> None:
        checked.append((job, value))
        raise PayloadInvalid("the payload is wrong", where="$.num")

    monkeypatch.setattr(module, "check", check)
    with pytest.raises(PayloadInvalid, match="wrong"):
        Job.factorial.run(Order(1, [Inner(datetime.date(2024, 1, 2))]))
    assert checked == [("factorial", {"num": 1, "inner": [{"when": "2024-01-02"}]})]


def status(state: str, **more: Any) -> dict[str, Any]:
    """The invoker's answer to a question about a run."""
    known = {"jobId": "j", "job": "factorial", "state": state, "attempt": 2, "maxAttempts": 3}
    return {**known, **more}


FAILURE = {"failure": {"type": "KeyError", "message": "'x'"}}


def test_a_cancellation_tells_what_it_met_and_what_came_of_it(invoker: Lambda) -> None:
    invoker.answer({"jobId": "j", "state": "CANCELLED", "was": "QUEUED"})
    assert Job.factorial.cancel("j") == JobCancellation("j", was="QUEUED", state="CANCELLED")
    assert [(e["action"], e["jobId"]) for e in invoker.events] == [("cancel", "j")]


def test_a_status_has_the_attempts_and_the_error_and_does_not_fetch_the_result(
    invoker: Lambda,
) -> None:
    invoker.answer(status("RUNNING"))
    running = Job.factorial.status("j")
    assert running == JobStatus("j", "factorial", "RUNNING", 2, 3)
    assert not running.final
    invoker.answer(status("FAILED", **FAILURE))
    failed = Job.factorial.status("j")
    assert (failed.final, failed.error_type, failed.error_message) == (True, "KeyError", "'x'")
    assert {event["action"] for event in invoker.events} == {"status"}


@pytest.mark.parametrize("value", [0, False, "", None, [], {"a": 1}])
def test_a_result_is_what_the_handler_returned(invoker: Lambda, value: Any) -> None:
    invoker.answer(status("SUCCEEDED", result=value))
    assert Job.factorial.result("j") == value
    assert invoker.events[0]["action"] == "result"


@pytest.mark.parametrize("state", ["QUEUED", "STARTING", "RUNNING"])
def test_a_run_that_has_not_ended_has_no_result_yet(invoker: Lambda, state: str) -> None:
    invoker.answer(status(state))
    with pytest.raises(JobNotFinished, match=f"the run is {state}"):
        Job.factorial.result("j")


@pytest.mark.parametrize(
    ("state", "error"),
    [
        ("FAILED", JobFailed),
        ("CANCELLED", JobCancelled),
        ("TIMED_OUT", JobTimedOut),
        ("CRASHED", JobCrashed),
    ],
)
def test_a_run_that_did_not_succeed_raises_how_it_ended(
    invoker: Lambda, state: str, error: type[JobFailed]
) -> None:
    invoker.answer(status(state, **FAILURE))
    with pytest.raises(JobFailed, match=f"{state}: KeyError: 'x'") as caught:
        Job.factorial.result("j")
    assert type(caught.value) is error
    assert (caught.value.error_type, caught.value.error_message) == ("KeyError", "'x'")


def test_a_cancelled_run_has_no_error_of_its_own(invoker: Lambda) -> None:
    invoker.answer(status("CANCELLED"))
    with pytest.raises(JobCancelled, match="the run has ended CANCELLED") as caught:
        Job.factorial.result("j")
    assert caught.value.what == "the run has ended CANCELLED"
    assert caught.value.error_type is None


def test_waiting_asks_until_the_run_has_ended(invoker: Lambda) -> None:
    for state in ("QUEUED", "RUNNING", "FAILED"):
        invoker.answer(status(state))
    assert Job.factorial.wait("j", poll=0).state == "FAILED"


def test_waiting_ends_when_its_time_is_over(invoker: Lambda) -> None:
    invoker.answer(status("RUNNING"))
    with pytest.raises(JobNotFinished, match="RUNNING after 5 s"):
        Job.factorial.wait("j", timeout=5, poll=10)


@pytest.mark.parametrize("ask", ["cancel", "status", "result", "wait"])
def test_a_run_that_nobody_knows_is_an_error_of_its_own(invoker: Lambda, ask: str) -> None:
    invoker.answer({"error": {"code": "UnknownRun", "message": "nothing is known of a run 'j'"}})
    with pytest.raises(UnknownRun, match="nothing is known of a run 'j'"):
        getattr(Job.factorial, ask)("j")


def test_a_payload_over_6_mb_is_refused_before_it_is_sent(invoker: Lambda) -> None:
    with pytest.raises(PayloadTooLarge, match="S3"):
        Job.factorial.run(payload="x" * 6 * 1024 * 1024)


def test_a_payload_of_nearly_6_mb_is_sent(invoker: Lambda) -> None:
    invoker.answer({"jobId": "j", "state": "QUEUED"})
    payload = "é" * (3 * 1024 * 1024 - 100)
    assert Job.factorial.run(payload=payload).job_id == "j"
    (sent,) = invoker.events
    assert sent["payload"] == payload


def test_an_unbound_job_says_what_to_do(invoker: Lambda) -> None:
    with pytest.raises(NotFound, match=r"Job 'other' is not bound here(.|\n)*factorial"):
        Job.other.run()


def test_a_refusal_names_the_invoker_and_the_reason(invoker: Lambda) -> None:
    invoker.answer({"error": {"code": "Offline", "message": "no devbridge dev of ann on laptop"}})
    with pytest.raises(InvokeError, match="Offline: no devbridge dev of ann on laptop") as caught:
        Job.factorial.run()
    assert caught.value.where == f"job 'factorial', invoker {FUNCTION}"


def test_an_invoker_that_crashed_is_told(invoker: Lambda) -> None:
    invoker.answer({"errorType": "E", "errorMessage": "boom"}, FunctionError="Unhandled")
    with pytest.raises(InvokeError, match="the invoker failed: E: boom"):
        Job.factorial.run()


@pytest.mark.parametrize("answer", [None, [], "x", {}, 3])
def test_an_answer_of_no_sense_is_an_error(invoker: Lambda, answer: Any) -> None:
    invoker.answer(answer)
    with pytest.raises(InvokeError, match="BadAnswer"):
        Job.factorial.run()


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (
            Order(1, [Inner(datetime.date(2024, 1, 2))]),
            {"num": 1, "inner": [{"when": "2024-01-02"}]},
        ),
        (OrderStruct(2), {"num": 2, "theLabel": "x"}),
        (OrderModel(num=3), {"num": 3, "when": None}),
        (
            {"a": [Colour.RED, Decimal("1.10"), (1, 2)]},
            {"a": ["red", 1.1, [1, 2]]},
        ),
        ({"u": uuid.UUID(int=1)}, {"u": "00000000-0000-0000-0000-000000000001"}),
    ],
)
def test_typed_payloads_become_json(payload: Any, expected: Any) -> None:
    assert json.loads(dump(payload)) == expected


@pytest.mark.parametrize(
    "payload", [object(), float("nan"), float("inf"), {1: {(): 1}}, {"a": print}]
)
def test_what_has_no_json_form_is_refused(payload: Any) -> None:
    with pytest.raises(PayloadNotJson):
        dump(payload)


def test_a_payload_within_itself_is_refused() -> None:
    payload: list[Any] = []
    payload.append(payload)
    with pytest.raises(PayloadNotJson):
        dump(payload)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Order, Order(5)),
        (OrderDict, {"num": 5}),
        (OrderStruct, OrderStruct(5)),
        (OrderModel, OrderModel(num=5)),
        (dict[str, int], {"num": 5}),
        (dict, {"num": 5}),
        (Any, {"num": 5}),
        (object, {"num": 5}),
    ],
)
def test_a_handler_gets_its_payload_as_the_type_it_declares(kind: Any, expected: Any) -> None:
    seen = []

    def record(payload: Any) -> None:
        seen.append(payload)

    record.__annotations__["payload"] = kind
    job_handler("a")(record)({"num": 5}, None)
    assert seen == [expected]
    assert type(seen[0]) is type(expected)


@pytest.mark.parametrize("kind", [Order, OrderDict, OrderStruct, OrderModel])
def test_a_wrong_payload_names_the_path_inside_it(kind: Any) -> None:
    def handler(payload: Any) -> None:
        raise AssertionError("must not run")

    handler.__annotations__["payload"] = kind
    with pytest.raises(PayloadInvalid, match=kind.__name__) as caught:
        job_handler("a")(handler)({"num": "five"}, None)
    assert caught.value.where == "$.num"


def test_a_wrong_payload_deep_inside_names_the_whole_path() -> None:
    @job_handler("a")
    def handler(payload: Order) -> None: ...

    with pytest.raises(PayloadInvalid) as caught:
        handler({"num": 1, "inner": [{"when": "2024-01-02"}, {"when": "tomorrow"}]}, None)
    assert caught.value.where is not None
    assert caught.value.where.startswith("$.inner[")


def test_the_context_is_passed_only_to_a_handler_that_takes_it() -> None:
    @job_handler("a")
    def none() -> str:
        return "none"

    @job_handler("a")
    def one(payload: Any) -> Any:
        return payload

    @job_handler("a")
    def two(payload: Any, context: Any) -> Any:
        return payload, context

    @job_handler("a")
    def keyword(payload: Any, *, verbose: bool = False) -> Any:
        return payload

    assert [f(1, "c") for f in (none, one, two, keyword)] == ["none", 1, (1, "c"), 1]


def test_a_handler_called_for_another_job_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    @job_handler("a")
    def handler(payload: Any) -> Any:
        return payload

    monkeypatch.setenv("DEVBRIDGE_JOB_NAME", "a")
    assert handler(1, None) == 1
    monkeypatch.setenv("DEVBRIDGE_JOB_NAME", "b")
    with pytest.raises(UnknownJob, match="for job 'a', and was called for job 'b'"):
        handler(1, None)


def test_the_secrets_are_fetched_before_the_handler_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch() -> None:
        raise NotFound("the secret is not set")

    @job_handler("a")
    def handler(payload: Any) -> None:
        raise AssertionError("must not run")

    monkeypatch.setattr(module, "fetch_secrets", fetch)
    with pytest.raises(NotFound, match="the secret is not set"):
        handler(1, None)


def test_a_module_with_a_handler_can_be_imported_without_msgspec(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "msgspec", None)

    @job_handler("a")
    def handler(payload: Order) -> None: ...

    with pytest.raises(ImportError):
        handler({"num": 1}, None)


@job_handler("a")
def early(payload: Below) -> int:
    return payload.num


@dataclasses.dataclass
class Below:
    num: int


def test_a_type_may_be_defined_below_the_handler() -> None:
    assert early({"num": 5}, None) == 5
    with pytest.raises(PayloadInvalid):
        early({"num": "x"}, None)


class CallableObject:
    def __call__(self, payload: Order, context: Any = None) -> int:
        return payload.num


def times(factor: int, payload: Order) -> int:
    return factor * payload.num


@pytest.mark.parametrize(
    ("handler", "result"),
    [(CallableObject(), 5), (functools.partial(times, 2), 10), (CallableObject().__call__, 5)],
)
def test_whatever_can_be_called_can_be_a_handler(
    handler: Any, result: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    decorated = job_handler("a")(handler)
    assert decorated({"num": 5}, None) == result
    with pytest.raises(PayloadInvalid):
        decorated({"num": "x"}, None)
    monkeypatch.setenv("DEVBRIDGE_JOB_NAME", "b")
    with pytest.raises(UnknownJob) as caught:
        decorated({"num": 5}, None)
    assert str(caught.value.where).startswith(__name__)


# --- options beside the handler -----------------------------------------------------------------


def test_options_of_the_job_are_for_who_reads_the_file() -> None:
    handler = job_handler("a", timeout="1 minute", bind=["notes"])(lambda payload: payload + 1)
    assert handler(1, None) == 2


def test_a_handler_without_a_name_is_that_of_the_job_that_runs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DEVBRIDGE_JOB_NAME", "whatever")

    without_parentheses: Any = job_handler
    bare = without_parentheses(lambda payload: payload + 1)

    @job_handler(retries=2)
    def unnamed(payload: int) -> int:
        return payload + 2

    assert (bare(1, None), unnamed(1, None)) == (2, 3)
    assert not hasattr(bare, "__devbridge_job__")
