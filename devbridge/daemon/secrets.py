"""Secrets that have changed: what jobs have read of them when they were imported is out of date.

`devbridge secrets set` of this folder touches a file, which is watched as what an import reads is.
Whoever else changes a value, on AWS's console or from another machine, tells nobody: SSM is asked
now and then for the versions, never for the values.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final

from devbridge.errors import DevbridgeError
from devbridge.folders import private_dir
from devbridge.resources import SECRETS, variable
from devbridge.runs.model import CodeSpec

log = logging.getLogger(__name__)

INTERVAL: Final = 10.0
"""Seconds between two questions for the versions."""

Versions = Mapping[str, object]
"""A secret's name -> what tells one of its values from another."""


def touch(mark: Path) -> None:
    """Tell the daemon of this folder, if there is one, that a secret has changed."""
    with contextlib.suppress(OSError):
        if mark.parent.parent.is_dir():
            private_dir(mark.parent)
            mark.touch(0o600)


def binds(job: CodeSpec) -> bool:
    """Whether a job may read a secret."""
    bound = variable("Secret", "parameterName", "")
    return any(key == SECRETS or key.startswith(bound) for key in job.environment)


async def watch(
    versions: Callable[[], Awaitable[Versions]],
    changed: Callable[[], None],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Call `changed` when the versions are not those of the last time. Until it is cancelled."""
    known: Versions | None = None
    while True:
        try:
            found = await versions()
        except DevbridgeError as error:  # no network, no permission: it is said elsewhere
            log.info("the secrets' versions are not known: %s", error)
        else:
            if known is not None and found != known:
                changed()
            known = found
        await sleep(INTERVAL)
