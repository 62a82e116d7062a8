"""Errors as Lambda answers them: ``errorType``, ``errorMessage``, ``stackTrace``.

https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html, and what the service itself says of
an environment that has ended or is out of time.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from devbridge.runs.model import Exit
from runner.function import OWN
from runner.invocation import parse_failure
from runner.outcome import Failure

MAX_ANSWER: Final = 6_291_556
"""Bytes of an answer, Lambda's own limit."""
TIMED_OUT: Final = "Sandbox.Timedout"
_KINDS: Final = {
    "SyntaxError": "Runtime.UserCodeSyntaxError",
    "BundleError": "Runtime.ImportModuleError",
    "HandlerNotFound": "Runtime.HandlerNotFound",
}
"""What Lambda calls what is found in code before it runs."""


@dataclass(frozen=True, slots=True)
class Fault(Failure):
    """An error of a request: as a developer shall see it, and as the caller gets it."""

    document: bytes = field(default=b"", compare=False, repr=False)
    """JSON. Of one that the request's id belongs into, it is made by `of_request`."""


def parsed(body: bytes) -> Fault:
    """The error that a worker has posted: a runtime of AWS's, or ours, which tells more than the
    caller gets."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    own = document.pop(OWN, None) if isinstance(document, dict) else None
    told = parse_failure(body if not isinstance(own, dict) else json.dumps(own).encode())
    if isinstance(document, dict):
        body = json.dumps(document).encode()
    else:
        body = _document(told.type, told.message)
    return _fault(told, body)


def of_failure(failure: Failure) -> Fault:
    """An error that devbridge itself has found."""
    if isinstance(failure, Fault):
        return failure
    return _fault(failure, _document(failure.type, failure.message, list(failure.frames)))


def not_started(failure: Failure) -> Fault:
    """No worker could be started, mostly as the code is not fit for one: as Lambda says that of
    code which does not parse, or lacks what it imports; with the place."""
    kind = _KINDS.get(failure.type)
    if kind is None:
        return of_failure(failure)
    message = f"{failure.type}: {failure.message}"
    if failure.frames:
        message = f"{message} ({failure.frames[-1].splitlines()[0]})"
    return _fault(failure, _document(kind, message, list(failure.frames)))


def as_page(function: str, failure: Failure) -> bytes:
    """What a browser is answered while the function cannot be loaded: whoever has broken it sees
    where. An answer of a Lambda behind API Gateway, with status 500."""
    said = f"{function} cannot be loaded: {failure.type}: {failure.message}"
    return json.dumps(
        {
            "statusCode": 500,
            "headers": {"content-type": "text/plain; charset=utf-8"},
            "body": "\n".join((said, *failure.frames)),
        }
    ).encode()


def timed_out(aws_request_id: str, seconds: float) -> Fault:
    """The function has had all of its time."""
    what = f"Task timed out after {seconds:.2f} seconds"
    return _told(TIMED_OUT, what, aws_request_id)


def exited(aws_request_id: str, exit_: Exit, failure: Failure) -> Fault:
    """The worker has ended under the request.

    Args:
        failure: the same in words.
    """
    kind = "Runtime.OutOfMemory" if failure.type == "OutOfMemory" else "Runtime.ExitError"
    return _fault(failure, _document(kind, f"RequestId: {aws_request_id} Error: {_end(exit_)}"))


def too_large() -> Fault:
    """The answer is over `MAX_ANSWER`."""
    what = f"Response payload size exceeded maximum allowed payload size ({MAX_ANSWER} bytes)."
    kind = "Function.ResponseSizeTooLarge"
    return _fault(Failure(kind, what), _document(kind, what))


def _end(exit_: Exit) -> str:
    if exit_.signal is not None:
        return f"Runtime exited with error: signal: {_name(exit_.signal)}"
    if exit_.code:
        return f"Runtime exited with error: exit status {exit_.code}"
    return "Runtime exited without providing a reason"


def _name(number: int) -> str:
    """A signal as Go's standard library, in which Lambda is written, calls it: ``killed``."""
    try:
        return (signal.strsignal(number) or "").lower() or f"signal {number}"
    except ValueError:
        return f"signal {number}"


def _told(kind: str, what: str, aws_request_id: str) -> Fault:
    document = _document(kind, f"RequestId: {aws_request_id} Error: {what}")
    return _fault(Failure(kind, what), document)


def _fault(told: Failure, document: bytes) -> Fault:
    return Fault(
        told.type, told.message, told.frames, told.trace, told.notes, told.causes, document
    )


def _document(kind: str, message: str, trace: list[str] | None = None) -> bytes:
    document: Mapping[str, Any] = {"errorType": kind, "errorMessage": message}
    if trace:
        document = {**document, "stackTrace": trace}
    return json.dumps(document).encode()
