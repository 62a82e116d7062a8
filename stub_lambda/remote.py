"""What a function that has run elsewhere has returned or raised: returned and raised here, Lambda's
caller sees no difference."""

from __future__ import annotations

import decimal
import json
from collections.abc import Mapping
from typing import Any


def remote_value(body: bytes) -> Any:
    """What Lambda's runtime makes the same text of again: numbers keep all their digits. What is no
    JSON, as a handler may return bytes, goes through as bytes do."""
    if not body:
        return None
    try:
        text = body.decode("utf-8", "surrogatepass")
        return json.loads(text, parse_float=decimal.Decimal)
    except (ValueError, RecursionError, decimal.DecimalException):
        return body


def remote_error(document: Mapping[str, Any]) -> Exception:
    """What Lambda makes the same document of again, when it is raised.

    Lambda's own runtime has an exception for this: type, message and trace are as they are told. It
    is there in its managed runtimes; elsewhere, the exception's class has the type's name.
    """
    kind = str(document.get("errorType") or "Error")
    message = str(document.get("errorMessage") or "")
    # Node.js tells its frames as "trace".
    trace = document.get("stackTrace") or document.get("trace") or []
    try:
        from awslambdaric.lambda_runtime_exception import FaultException
    except ImportError:
        named: Exception = type(kind, (Exception,), {})(message)
        return named
    fault: Exception = FaultException(kind, message, [str(line) for line in trace])
    return fault
