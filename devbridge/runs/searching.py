"""Whether a run is one that somebody looks for. Pure, and the standard library only."""

from __future__ import annotations

from typing import Final

from devbridge.errors import NotFound
from devbridge.runs.base import Run, Wanted
from runner.triggered import MARK, beginning_of

HEAD: Final = 64
"""Bytes at most between the mark of a triggered payload and the kind of its trigger."""


def fits(run: Run, wanted: Wanted) -> bool:
    """Whether a run is wanted. Its payload is asked for only where it must be known."""
    record = run.record
    at = record.created_at or 0.0
    if wanted.job not in (None, record.job) or (
        wanted.states and record.state not in wanted.states
    ):
        return False
    if at < (wanted.since or 0.0) or (wanted.until is not None and at >= wanted.until):
        return False
    if wanted.trigger and not _is_of(record.given, wanted.trigger):
        return False
    return not wanted.text or _has(run, wanted.text)


def _is_of(payload: bytes, trigger: str) -> bool:
    sought = named(trigger)
    return payload.startswith(MARK) and sought in payload[: HEAD + len(sought)]


def _has(run: Run, text: str) -> bool:
    record, sought = run.record, text.encode().lower()
    failure = record.failure
    told = [record.job_id, *((failure.type, failure.message) if failure else ())]
    if any(sought in each.encode("utf-8", "replace").lower() for each in told):
        return True
    try:
        return sought in run.payload().lower()
    except NotFound:
        return False


def named(trigger: str) -> bytes:
    """What the head of a trigger's payloads has. `trigger`: its kind and its name."""
    kind, _, name = trigger.partition(" ")
    return beginning_of(kind, name).removeprefix(MARK + b"{")
