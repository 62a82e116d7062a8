from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner import outcome
from runner.invocation import (
    MAX_BODY,
    RESULT_TOO_LARGE,
    Invocation,
    is_none,
    parse_failure,
    parse_lingering,
)
from runner.outcome import Cause, Failure


def test_the_headers_are_lambdas() -> None:
    invocation = Invocation("run-1", b"{}", 1_700_000_000.5, "arn:f", {"attempt": "2"})
    assert invocation.headers() == {
        "Lambda-Runtime-Aws-Request-Id": "run-1",
        "Lambda-Runtime-Deadline-Ms": "1700000000500",
        "Lambda-Runtime-Invoked-Function-Arn": "arn:f",
        "Lambda-Runtime-Client-Context": '{"client": {}, "env": {}, "custom": {"attempt": "2"}}',
    }
    context = json.loads(Invocation("run-1", b"", 0.0).headers()["Lambda-Runtime-Client-Context"])
    assert context == {"client": {}, "env": {}, "custom": {}}


def test_a_result_may_be_as_large_as_lambdas_and_what_surrounds_it() -> None:
    assert outcome.MAX_BODY < MAX_BODY < outcome.MAX_BODY + 100_000
    assert RESULT_TOO_LARGE.type == "ResultTooLarge"
    assert str(MAX_BODY) in RESULT_TOO_LARGE.message


FRAME = 'File "a.py", line 1, in f'


@pytest.mark.parametrize(
    ("document", "failure"),
    [
        (
            {"errorType": "E", "errorMessage": "m", "stackTrace": [FRAME], "trace": ["T\n"]},
            Failure("E", "m", (FRAME,), ("T",)),
        ),
        (
            {"errorType": "E", "errorMessage": "m", "stackTrace": [f"  {FRAME}\n"]},
            Failure("E", "m", (FRAME,), (FRAME,)),
        ),
        ({"errorType": "E", "errorMessage": 5, "trace": "T"}, Failure("E", "5")),
        ({"errorType": None, "errorMessage": True}, Failure("Unknown", "True")),
        (
            {"errorMessage": {"a": 1}, "trace": [1, None, "x "]},
            Failure("Unknown", "", (), ("1", "", "x")),
        ),
        ({}, Failure("Unknown", "")),
    ],
)
def test_an_error_document_of_any_runtime_is_read(
    document: dict[str, object], failure: Failure
) -> None:
    assert parse_failure(json.dumps(document).encode()) == failure


@pytest.mark.parametrize("body", [b"", b"not json", b"[1]", b'"text"', b"null", b"[" * 100_000])
def test_what_is_no_error_document_becomes_the_message(body: bytes) -> None:
    assert parse_failure(body) == Failure("Unknown", body[:2000].decode())


def test_a_message_that_is_not_utf_8_is_shown_as_far_as_it_is() -> None:
    assert parse_failure(b"\xffgone") == Failure("Unknown", "\ufffdgone")


@given(st.binary(max_size=100))
def test_whatever_a_worker_sends_is_a_failure(body: bytes) -> None:
    assert isinstance(parse_failure(body), Failure)


@pytest.mark.parametrize(
    ("body", "left"),
    [
        (b'["a", "b"]', ("a", "b")),
        (b"7", ()),
        (b"\xff", ()),
        (b"[" * 99_999, ()),
        (json.dumps(["x" * 999] * 99).encode(), ("x" * 200,) * 40),
    ],
)
def test_what_a_worker_waits_for_is_a_list_of_texts_of_some_length(
    body: bytes, left: tuple[str, ...]
) -> None:
    assert parse_lingering(body) == left


def test_what_belongs_to_a_failure_is_read_from_its_document() -> None:
    cause = {"how": "caused by", "errorType": "KeyError", "errorMessage": "'x'", "depth": 1}
    more = {"notes": ["n"], "stackTrace": [" f "]}
    document = {"errorType": "E", "notes": ["n"], "causes": [{**cause, **more}, 7, {"depth": "x"}]}
    assert parse_failure(json.dumps(document).encode()) == Failure(
        "E",
        "",
        notes=("n",),
        causes=(Cause("caused by", "KeyError", "'x'", ("f",), ("n",), 1), Cause("")),
    )


@pytest.mark.parametrize(
    ("checkpoint", "begins"),
    [(None, False), (b"null", False), (b" null\n", False), (b"0", True), (b'""', True)],
)
def test_null_is_no_checkpoint(checkpoint: bytes | None, begins: bool) -> None:
    invocation = Invocation("r1", b"1", 0.0, checkpoint=checkpoint)
    assert invocation.begins_at_checkpoint is begins
    assert checkpoint is None or is_none(checkpoint) is not begins
