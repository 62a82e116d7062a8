"""The default event bus: where services say that the state of what they run has changed."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ..host import ministack

log = logging.getLogger("machines")

Put = Callable[[str, Sequence[str], Mapping[str, Any]], None]
"""Puts an event on the bus: its detail type, its resources, its detail."""


def putter(source: str, account: str, region: str) -> Put:
    """Puts events of a service; what goes wrong with one does not stop what it tells of."""

    def put(kind: str, resources: Sequence[str], detail: Mapping[str, Any]) -> None:
        entry = {
            "Source": source,
            "DetailType": kind,
            "Resources": list(resources),
            "Detail": json.dumps(detail),
        }
        try:
            bus = ministack("app")._get_module("eventbridge")
            with ministack("core.responses").request_scope(account, region):
                bus._put_events({"Entries": [entry]}, allow_aws_source=True)
        except Exception:
            log.exception("an event of %s", source)

    return put


def iso(seconds: float) -> str:
    """A time as events have it: ``2026-01-01T00:00:00.000Z``."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"
