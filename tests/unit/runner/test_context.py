from __future__ import annotations

import time

import pytest

from runner.context import Context

HEADERS = {
    "lambda-runtime-aws-request-id": "run-1",
    "lambda-runtime-invoked-function-arn": "arn:f",
    "lambda-runtime-deadline-ms": "1700000000500",
    "lambda-runtime-client-context": (
        '{"client": {"a": 1}, "env": {"e": "1"},'
        ' "custom": {"job": "factorial", "attempt": "2", "max_attempts": "3"}}'
    ),
}


def test_it_has_what_the_headers_say() -> None:
    context = Context(HEADERS, {})
    assert (context.aws_request_id, context.invoked_function_arn) == ("run-1", "arn:f")
    assert (context.job_name, context.attempt, context.max_attempts) == ("factorial", 2, 3)
    assert context.client_context.client == {"a": 1}
    assert context.client_context.env == {"e": "1"}
    assert context.client_context.custom["attempt"] == "2"
    assert context.identity is None


def test_it_has_what_the_environment_says() -> None:
    context = Context(
        HEADERS,
        {
            "AWS_LAMBDA_FUNCTION_NAME": "f",
            "AWS_LAMBDA_FUNCTION_VERSION": "5",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/g",
            "AWS_LAMBDA_LOG_STREAM_NAME": "s",
        },
    )
    assert (context.function_name, context.function_version) == ("f", "5")
    assert (context.log_group_name, context.log_stream_name) == ("/g", "s")
    assert context.memory_limit_in_mb == 1024


def test_what_nobody_says_has_a_value_all_the_same() -> None:
    context = Context({"lambda-runtime-aws-request-id": "run-1"}, {})
    assert (context.job_name, context.attempt, context.max_attempts) == ("", 1, 1)
    assert (context.client_context.client, context.client_context.env) == (None, {})
    assert context.invoked_function_arn == ""
    assert context.memory_limit_in_mb == 0
    assert context.function_version == "$LATEST"
    assert context.get_remaining_time_in_millis() == 0
    named = Context(HEADERS, {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": ""})
    assert (named.function_name, named.memory_limit_in_mb) == ("factorial", 0)
    assert (named.log_group_name, named.log_stream_name) == ("/devbridge/factorial", "run-1")


def test_the_time_that_remains_is_the_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    context = Context(HEADERS, {})
    for now, left in ((1_700_000_000.0, 500), (1_700_000_000.25, 250), (1_700_000_001.0, 0)):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        assert context.get_remaining_time_in_millis() == left


def test_what_is_logged_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    Context(HEADERS, {}).log(["a line"])
    assert capsys.readouterr().out == "['a line']\n"


def test_it_shows_whose_it_is() -> None:
    assert "aws_request_id='run-1', job_name='factorial', attempt=2" in repr(Context(HEADERS, {}))
