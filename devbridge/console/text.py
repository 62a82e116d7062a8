"""Payloads, errors and code as the console's pages get them. Pure."""

from __future__ import annotations

import json
import re
from typing import Final

from devbridge.console import model
from devbridge.runs.base import RunRecord
from runner.triggered import MARK

SHORT: Final = 200
"""Characters of a payload that a list has."""
_SURROGATES: Final = re.compile("[\ud800-\udfff]")
_PAYLOAD: Final = ',"payload":'
_EVENT: Final = ',"event":'


def json_text(body: bytes) -> str:
    """A JSON text for a browser: halves of surrogate pairs, which JSON allows and no encoding has,
    are written as JSON writes them. A file may have what is no text at all: that can be seen."""
    try:
        text = body.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        text = body.decode("utf-8", "replace")
    return _SURROGATES.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def row(record: RunRecord) -> model.Row:
    """A run in a list."""
    trigger, payload = begins(record.given)
    failure = record.failure
    return model.Row(
        id=record.job_id,
        job=record.job,
        state=record.state,
        trigger=trigger,
        created_at=record.created_at,
        starts_at=record.starts_at,
        started_at=record.started_at,
        ended_at=record.ended_at,
        attempt=record.attempt,
        max_attempts=record.max_attempts,
        cancelled=record.cancelled,
        payload=payload,
        error=None if failure is None else one_line(f"{failure.type}: {failure.message}"),
    )


def one_line(text: str) -> str:
    """A text in one line of at most `SHORT` characters."""
    line = " ".join(text.split())
    return line if len(line) <= SHORT else f"{line[: SHORT - 1]}…"


def begins(given: bytes) -> tuple[str | None, str]:
    """What has triggered a run, if anything did, and the beginning of its payload.

    Args:
        given: the beginning of what it was given.
    """
    text = given.decode("utf-8", "replace")
    trigger = None
    if given.startswith(MARK):
        decoder = json.JSONDecoder()
        try:
            head, at = decoder.raw_decode(text, len(MARK))
            trigger = f"{head['kind']} {head['name']}"
        except (ValueError, KeyError, TypeError):
            return None, one_line(text)
        text = text[at:].removeprefix(_PAYLOAD)
        try:
            _, end = decoder.raw_decode(text)
            text = text[:end]
        except ValueError:
            text = text.partition(_EVENT)[0]
    return trigger, one_line(text.replace("�", ""))
