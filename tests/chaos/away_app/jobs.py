"""What the messages start: a run says in a file that it has come to its end."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devbridge.job import JobContext, job_handler

ENDED = Path(__file__).with_name("ended")


@dataclass
class Order:
    number: int
    fails: bool


@job_handler("take")
def take(payload: Order, context: JobContext[Any]) -> None:
    _end(context, fails=payload.fails)


@job_handler("store")
def store(payload: dict[str, Any], context: JobContext[Any]) -> None:
    _end(context, fails=payload["key"].startswith("fails"))


def _end(context: JobContext[Any], *, fails: bool) -> None:
    """One write of one line, so that lines of many processes do not mix."""
    if fails:
        raise ValueError("on purpose")
    fd = os.open(ENDED, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(fd, f"{context.aws_request_id}\n".encode())
    finally:
        os.close(fd)
