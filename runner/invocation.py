"""What the Lambda Runtime API carries, whoever serves it: one invocation, and the error it ends in.

`runner.runtime_api` serves it to a build's workers, the daemon to those on the laptop.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from runner import outcome
from runner.outcome import Cause, Failure

MAX_BODY = outcome.MAX_BODY + 64 * 1024
"""Bytes of a result: Lambda's 6 MB, and room for what surrounds it."""
INTERRUPTED = Failure("Interrupted", "SIGTERM has ended it at its last checkpoint")
"""What has become of an attempt that nobody whom we know has asked to stop."""
RESULT_TOO_LARGE = Failure("ResultTooLarge", f"the result is over {MAX_BODY} bytes")


@dataclass(frozen=True, slots=True)
class Invocation:
    """One attempt of a run, as a worker gets it."""

    job_id: str
    payload: bytes
    deadline: float
    """Seconds since the epoch."""
    function_arn: str = ""
    context: Mapping[str, str] = field(default_factory=dict)
    """The client context's `custom` entries: job, attempt, max_attempts."""
    checkpoint: bytes | None = None
    """A JSON text: where the attempt begins, if that is not at the beginning."""
    stop_at: float | None = None
    """Seconds since the epoch after which the next checkpoint is the attempt's last."""

    @property
    def begins_at_checkpoint(self) -> bool:
        """Whether there is a checkpoint."""
        return self.checkpoint is not None and not is_none(self.checkpoint)

    def headers(self) -> dict[str, str]:
        """The headers of the answer to `next`; the payload is its body."""
        custom = dict(self.context)
        if self.begins_at_checkpoint:  # which is too large for a header
            custom["checkpoint"] = "1"
        if self.stop_at is not None:
            custom["stop_at"] = repr(self.stop_at)
        context = {"client": {}, "env": {}, "custom": custom}
        return {
            "Lambda-Runtime-Aws-Request-Id": self.job_id,
            "Lambda-Runtime-Deadline-Ms": str(int(self.deadline * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": self.function_arn,
            "Lambda-Runtime-Client-Context": json.dumps(context),
        }


def is_none(checkpoint: bytes) -> bool:
    """Whether a checkpoint is null, and so none: who begins there begins at the beginning."""
    return checkpoint.strip() == b"null"


def parse_failure(body: bytes) -> Failure:
    """The failure in an error document of any runtime: ours, awslambdaric's (``stackTrace``) or
    Node's (``trace``). What is no such document becomes the message of an unknown failure."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        return Failure("Unknown", body[:2000].decode("utf-8", "replace"))
    frames = _frames(document)
    return Failure(
        type=_text(document.get("errorType")) or "Unknown",
        message=_text(document.get("errorMessage")),
        frames=frames,
        trace=_lines(document.get("trace")) or frames,
        notes=_lines(document.get("notes")),
        causes=tuple(map(_cause, filter(_is_object, _list(document.get("causes"))))),
    )


def parse_lingering(body: bytes) -> tuple[str, ...]:
    """What a worker says that it waits for: see `runner.lingering`; at most some dozens."""
    try:
        told = _lines(json.loads(body))
    except (ValueError, RecursionError):
        told = ()
    return tuple(text[:200] for text in told[:40])


def _cause(told: Mapping[str, object]) -> Cause:
    depth = told.get("depth")
    return Cause(
        how=_text(told.get("how")),
        type=_text(told.get("errorType")),
        message=_text(told.get("errorMessage")),
        frames=_frames(told),
        notes=_lines(told.get("notes")),
        depth=depth if isinstance(depth, int) else 0,
    )


def _frames(document: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(map(str.strip, _lines(document.get("stackTrace"))))


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _lines(value: object) -> tuple[str, ...]:
    return tuple(_text(line).rstrip() for line in _list(value))


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, bool | int | float) else ""
