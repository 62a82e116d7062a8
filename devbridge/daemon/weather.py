"""Bad weather: a ledger that cannot be written, and a folder that has gone.

A request that cannot be entered is refused while its caller still waits: it is told so, and may
call again. One whose caller was, or may have been, told QUEUED is neither answered nor
acknowledged: it is held here and stays in the broker, and is taken when there is room again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Final

from devbridge.daemon.events import Effect, Give, Record
from devbridge.daemon.keeper import Keeper
from devbridge.daemon.told import Waits
from devbridge.errors import FolderError
from devbridge.protocol.messages import REJECT_BUSY, Rejected, Reply, Run
from devbridge.protocol.session import Deliver

TICK: Final = 2.0
"""Seconds between looks at the ledger's file and its folder."""
STILL_WAITS: Final = 3.0
"""Seconds for which a stub surely waits for its answer; it gives up after 8."""

Answered = list[tuple[Deliver, Reply]]


class Weather:
    """What the daemon does about it.

    Args:
        connected_since: when the bridge's connection was made, in seconds since the epoch.
        take: takes requests that were held.
    """

    def __init__(
        self,
        ledger: Keeper,
        *,
        connected_since: Callable[[], float],
        take: Callable[[Sequence[Deliver]], None],
    ) -> None:
        self._ledger = ledger
        self._connected_since = connected_since
        self._take = take
        self._held: list[Deliver] = []
        self._folder = ledger.path.parent
        self._inode = _inode(self._folder)

    def refuse(
        self, refused: Collection[str], answered: Sequence[tuple[Deliver, Reply]], now: float
    ) -> Answered:
        """The answers, without those to runs that could not be entered: these are refused or
        held."""
        rest: Answered = []
        for deliver, reply in answered:
            message = deliver.message
            if not isinstance(message, Run) or message.job_id not in refused:
                rest.append((deliver, reply))
            elif self._still_waits(message.sent_at, now):
                rest.append((deliver, self._refusal(message)))
            else:
                self._held.append(deliver)
        return rest

    def hold(self, requests: Sequence[Deliver]) -> None:
        """Keep requests that cannot even be looked up."""
        self._held += requests

    async def watch(self) -> None:
        """Look at the ledger now and then, until cancelled.

        Raises:
            FolderError: the stage's folder has gone.
        """
        while True:
            await asyncio.sleep(TICK)
            if _inode(self._folder) != self._inode:
                raise FolderError(
                    "the folder of this stage is gone, with its ledger and logs",
                    where=str(self._folder),
                    remedy="start devbridge dev again: it makes the folder, and deploys anew where"
                    " that was local",
                )
            self._ledger.look()
            if self._ledger.flush() and self._held:
                held, self._held = self._held, []
                self._take(held)

    def _still_waits(self, sent_at: float, now: float) -> bool:
        """Whether nobody can have told the caller that the run is QUEUED: the request is not older
        than the connection, and so young (by clocks that may differ) that its stub still waits."""
        return sent_at > self._connected_since() and abs(now - sent_at) < STILL_WAITS

    def _refusal(self, run: Run) -> Rejected:
        why = self._ledger.trouble
        return Rejected(
            request_id=run.request_id,
            code=REJECT_BUSY,
            message=f"the run was not taken, for devbridge cannot keep it:"
            f" {why.what if why else 'its ledger cannot be written'}; call again when there is"
            " room on the developer's disk",
        )


def without(refused: Collection[str], effects: Sequence[Effect]) -> list[Effect]:
    """The effects that do not concern runs that could not be entered. Pure."""
    return [effect for effect in effects if _run_of(effect) not in refused]


def _run_of(effect: Effect) -> str | None:
    match effect:
        case Give() | Waits():
            return effect.job_id
        case Record():
            return effect.change.job_id
        case _:
            return None


def _inode(folder: Path) -> int | None:
    try:
        return folder.stat().st_ino
    except OSError:
        return None
