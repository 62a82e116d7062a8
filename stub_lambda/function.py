"""The Lambda handler of a live function while `devbridge dev` runs its stage: the stub.

It is what has the function's name, routes and permissions, and it hands each event on to the
daemon, whose worker answers it with the code as it is saved now. When nobody is at home, the
deployed code answers, which is a function of its own, or the call fails: never both, and never is
an error an answer.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final, Protocol

from devbridge.protocol import codec
from devbridge.protocol.messages import Invoke, Raised, Responded
from devbridge.protocol.session import fits
from runner import aws
from runner.aws import AwsError
from stub_lambda.bridge import Bridge
from stub_lambda.calling import Absent, Caller
from stub_lambda.copy import call_copy
from stub_lambda.remote import remote_error, remote_value
from stub_lambda.settings import OFFLINE_CLOUD, FunctionSettings

OFFLINE: Final = "Devbridge.Offline"
GONE: Final = "Devbridge.Gone"
SLACK: Final = 5.0
"""Seconds beyond the function's own time that its answer may take: whoever runs it ends it."""
_MARGIN: Final = 0.5
"""Seconds that are left to this function for answering."""

# What Lambda keeps between invocations lives in the module: the connection.
_caller: Caller | None = None
_settings: FunctionSettings | None = None


class Context(Protocol):
    """What is used of Lambda's context."""

    aws_request_id: str
    invoked_function_arn: str
    client_context: Any
    identity: Any

    def get_remaining_time_in_millis(self) -> int:
        """Until Lambda ends this function."""


def handler(event: Any, context: Context) -> Any:
    """Lambda's entry."""
    global _caller, _settings
    settings = FunctionSettings.from_environment()
    if _caller is None or _settings != settings:
        _caller, _settings = Caller(Bridge(settings)), settings
    return answered(_caller, settings, event, context)


def answered(caller: Caller, settings: FunctionSettings, event: Any, context: Context) -> Any:
    """What the function answers to an event, whoever runs it.

    Raises:
        Exception: the function has raised, or nobody could be called. Lambda tells its caller of
            `FaultException` as if the function itself were here.
    """
    body = codec.dump_json(event)
    left = context.get_remaining_time_in_millis() / 1000 - _MARGIN
    wait = min(left, settings.timeout + SLACK)
    invoke = _invoke(caller.stub_id, settings, body, context, wait)
    try:
        outcome = caller.call(invoke, wait)
    finally:
        if invoke.event_key:
            _forget(settings, invoke.event_key)
    if isinstance(outcome, Responded):
        return _value(settings, outcome)
    if isinstance(outcome, Raised):
        raise remote_error(codec.load_json(outcome.error))
    where = f"{settings.app} (stage {settings.stage})"
    if isinstance(outcome, Absent) and settings.offline == OFFLINE_CLOUD and settings.copy:
        left = context.get_remaining_time_in_millis() / 1000
        print("the deployed code answers:", outcome.sentence(where))
        return call_copy(settings.copy, body, invoke.client_context, left)
    kind = OFFLINE if isinstance(outcome, Absent) else GONE
    raise remote_error({"errorType": kind, "errorMessage": outcome.sentence(where)})


def _invoke(
    stub_id: str, settings: FunctionSettings, event: bytes, context: Context, wait: float
) -> Invoke:
    """The call. An event that is too large for the wire is in the stage's bucket."""
    invoke = Invoke(
        request_id=codec.new_id(),
        stub_id=stub_id,
        function=settings.function,
        aws_request_id=context.aws_request_id,
        function_arn=context.invoked_function_arn,
        remaining=int(wait * 1000),
        client_context=_client_context(context.client_context),
        identity=_identity(context.identity),
        trace_id=os.environ.get("_X_AMZN_TRACE_ID"),
        event=event,
    )
    if fits(invoke, event):
        return invoke
    key = settings.topics.event_key(invoke.request_id)
    aws.put_object(settings.bucket, key, event)
    return replace(invoke, event=None, event_key=key)


def _value(settings: FunctionSettings, responded: Responded) -> Any:
    body = responded.body
    if responded.body_key is not None:
        body = aws.get_object(settings.bucket, responded.body_key)
        _forget(settings, responded.body_key)
    return remote_value(body or b"")


def _forget(settings: FunctionSettings, key: str) -> None:
    """Delete what nobody reads again; the bucket deletes what is left, and an answer is one."""
    with suppress(AwsError, OSError):
        aws.delete_object(settings.bucket, key)


def _client_context(found: Any) -> str | None:
    """As Lambda's Runtime API has it: JSON in ASCII."""
    if found is None:
        return None
    parts = {name: getattr(found, name, None) for name in ("client", "custom", "env")}
    if parts["client"] is not None:
        parts["client"] = _attributes(parts["client"])
    return json.dumps(parts)


def _identity(found: Any) -> str | None:
    """See `_client_context`."""
    names = {"cognitoIdentityId": "cognito_identity_id"}
    names["cognitoIdentityPoolId"] = "cognito_identity_pool_id"
    values = {key: getattr(found, name, None) for key, name in names.items()}
    return json.dumps(values) if any(values.values()) else None


def _attributes(value: Any) -> Mapping[str, Any]:
    names = getattr(value, "__slots__", None) or vars(value)
    return {name: getattr(value, name, None) for name in names}
