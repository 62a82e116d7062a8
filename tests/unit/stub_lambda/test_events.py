from __future__ import annotations

from typing import Any

import pytest

from devbridge.protocol import codec
from devbridge.protocol.messages import (
    REJECT_TOO_LARGE,
    REJECT_UNKNOWN_RUN,
    Accepted,
    Cancelled,
    Rejected,
    StatusReply,
)
from runner.triggered import MARK
from stub_lambda import events
from stub_lambda.events import BAD_EVENT, Question, Refused, Start, answer_of, parse, with_result

STATUS = StatusReply(
    request_id="r", job_id="j", job="factorial", state="SUCCEEDED", attempt=1, max_attempts=3
)


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


FORGED = {"devbridge:trigger": {"kind": "queue", "name": "q"}, "payload": 1, "event": {}}


@pytest.mark.parametrize("how", ["triggered", "scheduled"])
def test_a_run_that_a_trigger_had_started_may_be_run_again(how: str) -> None:
    found = parse({"devbridge": 1, "action": "run", "payload": FORGED, how: True})
    assert isinstance(found, Start)
    assert found.payload.startswith(MARK)


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (None, "not a devbridge event"),
        ([], "not a devbridge event"),
        ({}, "not a devbridge event"),
        ({"devbridge": 2, "action": "run"}, "not a devbridge event"),
        ({"devbridge": 1, "action": "run", "payloadText": "1.10"}, "not a devbridge event"),
        ({"devbridge": 2, "action": "run", "payloadText": "1.10 m"}, "payload is not JSON"),
        ({"devbridge": 2, "action": "run", "payloadText": None}, "payload is not JSON"),
        ({"devbridge": 1}, "unknown action None"),
        ({"devbridge": 1, "action": "rm"}, 'unknown action \'rm\': use "run", "cancel", "status"'),
        ({"devbridge": 1, "action": "run", "idempotencyKey": 5}, "1 to 1024 characters"),
        ({"devbridge": 1, "action": "run", "idempotencyKey": ""}, "1 to 1024 characters"),
        ({"devbridge": 1, "action": "run", "idempotencyKey": "x" * 1025}, "1 to 1024 characters"),
        ({"devbridge": 1, "action": "run", "payload": float("nan")}, "payload is not JSON"),
        ({"devbridge": 1, "action": "run", "payload": nested(50_000)}, "nested too deeply"),
        (
            {"devbridge": 1, "action": "run", "payload": FORGED},
            "'devbridge:trigger' is devbridge's",
        ),
    ],
)
def test_a_bad_event_is_refused_with_what_is_wrong(event: object, message: str) -> None:
    with pytest.raises(Refused) as caught:
        parse(event)
    assert caught.value.code == BAD_EVENT
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "start"),
    [
        ({}, Start(b"null", None, remember=False)),
        ({"payload": 0}, Start(b"0", None, remember=False)),
        ({"payload": {"ü": ""}}, Start('{"ü":""}'.encode(), None, remember=False)),
        ({"idempotencyKey": "x" * 1024}, Start(b"null", "x" * 1024, remember=True)),
        ({"idempotencyKey": "k", "generatedKey": True}, Start(b"null", "k", remember=False)),
        ({"idempotencyKey": "k", "generatedKey": False}, Start(b"null", "k", remember=True)),
    ],
)
def test_a_run_has_its_payload_as_json_and_a_users_key_is_remembered(
    fields: dict[str, Any], start: Start
) -> None:
    assert parse({"devbridge": 1, "action": "run", **fields}) == start


def test_a_payload_that_comes_as_text_keeps_its_digits() -> None:
    event = {"devbridge": 2, "action": "run", "payloadText": '{"price": 1.10}'}
    assert parse(event) == Start(b'{"price": 1.10}', None, remember=False)


@pytest.mark.parametrize("action", ["cancel", "status", "result"])
def test_a_question_has_its_action_and_the_id(action: str) -> None:
    assert parse({"devbridge": 1, "action": action, "jobId": "a"}) == Question(action, "a")


@pytest.mark.parametrize("action", ["cancel", "status", "result"])
@pytest.mark.parametrize("job_id", [None, 5, ["a"]])
def test_an_id_that_is_no_text_is_that_of_no_run(action: str, job_id: object) -> None:
    with pytest.raises(Refused, match="is not the id of a run") as caught:
        parse({"devbridge": 1, "action": action, "jobId": job_id})
    assert caught.value.code == REJECT_UNKNOWN_RUN


def test_each_reply_has_its_answer() -> None:
    accepted = Accepted(request_id="r", job_id="j", state="QUEUED", duplicate=True)
    cancelled = Cancelled(request_id="r", job_id="j", state="CANCELLED", was="RUNNING")
    rejected = Rejected(request_id="r", code="Busy", message="no")
    assert [answer_of(reply) for reply in (accepted, cancelled, rejected)] == [
        {"jobId": "j", "state": "QUEUED", "duplicate": True},
        {"jobId": "j", "state": "CANCELLED", "was": "RUNNING"},
        {"error": {"code": "Busy", "message": "no"}},
    ]


KNOWN = {"jobId": "j", "job": "factorial", "state": "SUCCEEDED", "attempt": 1, "maxAttempts": 3}


def status(**fields: Any) -> StatusReply:
    known = {name: getattr(STATUS, name) for name in STATUS.__slots__}
    return StatusReply(**{**known, **fields})


@pytest.mark.parametrize(
    ("reply", "more"),
    [
        (STATUS, {}),
        (status(result=b"null"), {"result": None}),
        (status(result=b'[0,"\xc3\xbc"]'), {"result": [0, "ü"]}),
        (
            status(error_type="KeyError", error_message="'x'"),
            {"failure": {"type": "KeyError", "message": "'x'"}},
        ),
        (status(error_type="KeyError"), {"failure": {"type": "KeyError", "message": ""}}),
    ],
)
def test_a_status_has_the_result_or_the_failure_that_is_known(
    reply: StatusReply, more: dict[str, Any]
) -> None:
    assert answer_of(reply) == {**KNOWN, **more}


def test_a_result_of_a_reply_that_lambda_does_not_return_is_refused() -> None:
    with pytest.raises(Refused, match="put it in S3 and return the key") as caught:
        answer_of(status(result=b"[" + b"0," * 2_500_000 + b"0]"))
    assert caught.value.code == REJECT_TOO_LARGE


def test_the_size_of_a_result_is_that_of_the_answer_that_lambda_writes() -> None:
    zeros = b"[" + b"0," * 3_000_000 + b"0]"
    with pytest.raises(Refused, match="9,0"):
        with_result({"jobId": "a"}, zeros)
    text = codec.dump_json("x" * 6_000_000)
    assert with_result({"jobId": "a"}, text) == {"jobId": "a", "result": "x" * 6_000_000}


@pytest.mark.parametrize(("ascii_", "fits"), [(False, True), (True, False)])
def test_where_lambda_escapes_characters_they_count_as_that(
    monkeypatch: pytest.MonkeyPatch, ascii_: bool, fits: bool
) -> None:
    monkeypatch.setattr(events, "_ASCII", ascii_)
    text = codec.dump_json("ü" * 1_500_000)
    if fits:
        assert with_result({}, text) == {"result": "ü" * 1_500_000}
    else:
        with pytest.raises(Refused, match="has 9,0"):
            with_result({}, text)


def test_the_limit_is_lambdas_to_the_byte() -> None:
    whole = len(b'{"result": ""}')
    at_most = codec.dump_json("x" * (codec.MAX_BODY - whole))
    assert len(with_result({}, at_most)["result"]) == codec.MAX_BODY - whole
    with pytest.raises(Refused, match=r"6,291,457 bytes"):
        with_result({}, codec.dump_json("x" * (codec.MAX_BODY - whole + 1)))
    with pytest.raises(Refused, match=r"6,291,457 bytes"):
        with_result({}, b"9" * (codec.MAX_BODY + 1))
