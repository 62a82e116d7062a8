"""The deployed code of a live function: a function of its own, for when nobody is at home."""

from __future__ import annotations

import base64
from typing import Any

from devbridge.protocol import codec
from runner import aws
from stub_lambda.remote import remote_error, remote_value


def call_copy(function: str, event: bytes, client_context: str | None, timeout: float) -> Any:
    """What it returns.

    Args:
        client_context: JSON.
        timeout: seconds that it may take.

    Raises:
        Exception: what it has raised.
        AwsError: it could not be called.
    """
    context = base64.b64encode(client_context.encode()).decode() if client_context else ""
    answer, failed = aws.answer_of(function, event, context, timeout)
    if failed:
        raise remote_error(codec.load_json(answer))
    return remote_value(answer)
