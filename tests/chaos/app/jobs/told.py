"""What messages start: it is over at once, or takes up to half a second, and fails if it shall."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jobs import work  # type: ignore[import-not-found]

from devbridge.job import JobContext, job_handler


@dataclass
class Told:
    number: int
    fails: bool


@job_handler("told")
def told(payload: Told, context: JobContext[Any]) -> Any:
    return _work(payload.number, payload.fails, context)


@job_handler("stored")
def stored(payload: dict[str, Any], context: JobContext[Any]) -> Any:
    fate, _, number = payload["key"].rpartition("-")
    return _work(int(number), fate == "fails", context)


def _work(number: int, fails: bool, context: JobContext[Any]) -> Any:
    do = "raise" if fails else "ok"
    return work.handler({"number": number, "do": [do], "seconds": number % 6 / 10}, context)
