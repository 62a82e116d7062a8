"""The handler that is saved again and again while it is used."""

from __future__ import annotations

from typing import Any

from jobs import effects  # type: ignore[import-not-found]

VERSION = 0


def handler(payload: dict[str, Any], context: Any) -> dict[str, Any]:
    job, job_id, attempt = context.job_name, context.aws_request_id, context.attempt
    effects.note("begin", job, job_id, attempt, version=VERSION)
    effects.tick(context, payload.get("seconds", 0))
    effects.note("end", job, job_id, attempt)
    return {"number": payload["number"], "attempt": attempt}
