from __future__ import annotations

import builtins
from typing import Any

import pytest
from awslambdaric.lambda_runtime_exception import FaultException
from awslambdaric.lambda_runtime_marshaller import LambdaMarshaller

from stub_lambda.remote import remote_error, remote_value

DOCUMENT = {"errorType": "ValueError", "errorMessage": "no", "stackTrace": ["  File a.py\n"]}


def test_lambdas_own_runtime_tells_it_as_it_was_told() -> None:
    error = remote_error(DOCUMENT)
    assert isinstance(error, FaultException)
    assert (error.exception_type, error.msg, error.trace) == ("ValueError", "no", ["  File a.py\n"])


def test_frames_of_node_are_its_trace() -> None:
    error = remote_error({"errorType": "Error", "errorMessage": "no", "trace": ["Error: no"]})
    assert isinstance(error, FaultException)
    assert error.trace == ["Error: no"]


def test_a_document_without_a_type_is_an_error_all_the_same() -> None:
    error = remote_error({})
    assert isinstance(error, FaultException)
    assert (error.exception_type, error.msg, error.trace) == ("Error", "", [])


def test_without_that_runtime_the_class_has_the_types_name(monkeypatch: pytest.MonkeyPatch) -> None:
    own = builtins.__import__

    def without(name: str, *args: Any, **options: Any) -> Any:
        if name.startswith("awslambdaric"):
            raise ImportError(name)
        return own(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    error = remote_error({"errorType": "Sandbox.Timedout", "errorMessage": "late"})
    assert type(error).__name__ == "Sandbox.Timedout"
    assert str(error) == "late"


@pytest.mark.parametrize(
    "body",
    [
        b'{"exact": 1.23456789012345678901234567890, "nan": NaN, "many": [1, -0.50, 1E+400]}',
        b'"\\ud800"',
        b"null",
        b"\xff\x00 no JSON",
        b"[1e99999999999999999999]",
        b"[" * 200_000,
    ],
)
def test_lambdas_own_runtime_answers_the_same_text(
    body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_EXECUTION_ENV", "AWS_Lambda_python3.11")
    text, _ = LambdaMarshaller().marshal_response(remote_value(body))
    assert (text.encode() if isinstance(text, str) else text) == body


def test_no_body_is_null() -> None:
    assert remote_value(b"") is None
