from __future__ import annotations

import builtins
from typing import Any

import pytest
from awslambdaric.lambda_runtime_exception import FaultException

from stub_lambda.remote import remote_error

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
