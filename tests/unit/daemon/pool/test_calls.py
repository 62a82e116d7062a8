from __future__ import annotations

from dataclasses import replace

from devbridge.daemon.pool.calls import Call
from devbridge.daemon.requests import INVOKED
from devbridge.protocol.messages import Invoke

ASKED = Invoke(
    request_id="r",
    stub_id="s",
    function="api",
    aws_request_id="aws",
    function_arn="arn:x",
    remaining=1000,
    client_context='{"custom":{}}',
    trace_id="Root=1",
)


def test_a_worker_gets_lambdas_own_headers() -> None:
    given = Call(ASKED, b"1", INVOKED).given(12.5)
    assert given.payload == b"1"
    assert given.headers() == {
        "Lambda-Runtime-Aws-Request-Id": "aws",
        "Lambda-Runtime-Deadline-Ms": "12500",
        "Lambda-Runtime-Invoked-Function-Arn": "arn:x",
        "Lambda-Runtime-Trace-Id": "Root=1",
        "Lambda-Runtime-Client-Context": '{"custom":{}}',
    }


def test_what_no_header_may_have_is_left_out() -> None:
    asked = replace(ASKED, client_context="a\r\nb: c", identity="é")
    headers = Call(asked, b"1", INVOKED).given(1.0).headers()
    assert headers.keys() & {
        "Lambda-Runtime-Client-Context",
        "Lambda-Runtime-Cognito-Identity",
    } == (set())
