"""Against AWS's own runtime for Python."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from runner.function_context import LambdaContext
from runner.marshalling import Fault

theirs = pytest.importorskip("awslambdaric.bootstrap")

VARIABLES = {
    "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/api",
    "AWS_LAMBDA_LOG_STREAM_NAME": "2024/01/01/[$LATEST]x",
    "AWS_LAMBDA_FUNCTION_NAME": "api",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
}
CLIENTS = [
    None,
    {},
    {"custom": {"a": "b"}, "env": {"c": "d"}, "client": {"app_title": "t", "other": 1}},
    {"client": {}, "w3c": {"traceparent": "00-1", "baggage": 1, "x": "y"}},
    {"w3c": "no mapping"},
]
CALLERS = [None, {"cognitoIdentityId": "i", "cognitoIdentityPoolId": "p"}, {}]


def seen(context: Any) -> dict[str, Any]:
    """What a handler sees."""
    client, identity = context.client_context, context.identity
    found = {
        name: getattr(context, name)
        for name in dir(context)
        if not name.startswith("_") and not callable(getattr(context, name))
    }
    found["client_context"] = client and [client.custom, client.env, attributes(client.client)]
    found["identity"] = attributes(identity)
    return {**found, "w3c": context.w3c(), "methods": methods(context)}


def attributes(thing: Any) -> dict[str, Any] | None:
    return thing and {name: getattr(thing, name, None) for name in sorted(type(thing).__slots__)}


def methods(thing: Any) -> list[str]:
    public = [name for name in dir(thing) if not name.startswith("_")]
    return [name for name in public if callable(getattr(thing, name))]


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("caller", CALLERS)
def test_it_is_what_awslambdaric_makes(
    client: object, caller: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    given = None if client is None else json.dumps(client)
    known = None if caller is None else json.dumps(caller)
    headers = {
        "lambda-runtime-aws-request-id": "id",
        "lambda-runtime-invoked-function-arn": "arn:x",
        "lambda-runtime-deadline-ms": "1000",
        **({"lambda-runtime-client-context": given} if given else {}),
        **({"lambda-runtime-cognito-identity": known} if known else {}),
    }
    context = theirs.create_lambda_context(given, known, 1000, "id", "arn:x", None)
    assert seen(LambdaContext(headers)) == seen(context)


def test_the_time_that_is_left_ends_at_none() -> None:
    headers = {"lambda-runtime-aws-request-id": "id"}
    assert LambdaContext(headers).get_remaining_time_in_millis() == 0
    later = {**headers, "lambda-runtime-deadline-ms": str(int(time.time() * 1000) + 60_000)}
    assert 0 < LambdaContext(later).get_remaining_time_in_millis() <= 60_000


def test_what_is_no_json_is_lambdas_error() -> None:
    headers = {"lambda-runtime-aws-request-id": "id", "lambda-runtime-client-context": "{"}
    with pytest.raises(Fault, match="Unable to parse Client Context JSON") as raised:
        LambdaContext(headers)
    assert raised.value.kind == "Runtime.LambdaContextUnmarshalError"


def test_it_writes_to_the_log_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    context = LambdaContext({"lambda-runtime-aws-request-id": "id"})
    context.log("one")
    context.log(2)
    assert capsys.readouterr().out == "one2"
    assert "aws_request_id=id" in repr(context)
    assert "cognito_identity_id=None" in repr(context)
