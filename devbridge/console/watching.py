"""What has changed of runs that nobody tells about: those of a deployed stage, or of a `devbridge
dev` that has no console."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from devbridge.console import model
from devbridge.console.listener import LOG, RUN

POLL: Final = 2.0
"""Seconds between two looks."""


async def watch(
    look: Callable[[], Awaitable[Mapping[str, model.Row] | None]], changed: Callable[[str], None]
) -> None:
    """Look at the newest runs again and again, and tell which have changed.

    Args:
        look: gives them by their ids; None: nobody wants to know now, or they cannot be had.
    """
    before: Mapping[str, model.Row] | None = None
    while True:
        found = await look()
        if found is not None:
            for thing in differences(before, found):
                changed(thing)
            before = found
        await asyncio.sleep(POLL)


def differences(before: Mapping[str, model.Row] | None, now: Mapping[str, model.Row]) -> list[str]:
    """What has changed, and what goes on and may have printed something. Pure."""
    if before is None:
        return []
    things = [RUN + run_id for run_id, row in now.items() if before.get(run_id) != row]
    for run_id, row in now.items():
        was = before.get(run_id)
        if not row.state.final or (was is not None and not was.state.final):
            things.append(LOG + run_id)
    return things
