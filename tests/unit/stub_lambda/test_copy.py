from __future__ import annotations

import base64

import pytest
from awslambdaric.lambda_runtime_exception import FaultException

from runner import aws
from stub_lambda.copy import call_copy


def answers(monkeypatch: pytest.MonkeyPatch, answer: bytes, *, failed: bool) -> list[object]:
    asked: list[object] = []

    def answer_of(*given: object) -> tuple[bytes, bool]:
        asked.extend(given)
        return answer, failed

    monkeypatch.setattr(aws, "answer_of", answer_of)
    return asked


def test_what_it_returns_is_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answers(monkeypatch, b'{"statusCode": 200}', failed=False)
    assert call_copy("api-cp", b"{}", '{"custom": 1}', 3.0) == {"statusCode": 200}
    context = base64.b64encode(b'{"custom": 1}').decode()
    assert asked == ["api-cp", b"{}", context, 3.0]


def test_who_has_no_client_context_gives_none(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answers(monkeypatch, b"null", failed=False)
    assert call_copy("api-cp", b"{}", None, 3.0) is None
    assert asked[2] == ""


def test_what_it_raises_is_raised_here(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, b'{"errorType": "ValueError", "errorMessage": "no"}', failed=True)
    with pytest.raises(FaultException) as raised:
        call_copy("api-cp", b"{}", None, 3.0)
    assert raised.value.exception_type == "ValueError"
