"""The last run of each schedule of a deployed job, for schedules whose runs do not overlap.

S3 has the uuid of it. Who is to start another one takes its place there first, unless that run goes
on; so of two times that come at once, one is started. Who dies between the two steps is passed by
after a while, and comes again with its own message.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from devbridge.errors import CloudError
from devbridge.runs.deciding import decide
from devbridge.runs.model import State
from devbridge.runs.reading import Reader
from devbridge.runs.starting import DEAD

_TRIES: Final = 4


def goes_on(state: State | None, age: float) -> bool:
    """Whether a run keeps the next time of its schedule from being run. Pure.

    Args:
        state: None: nothing is known of such a run.
        age: seconds since somebody was to start it.
    """
    return age < DEAD if state is None else not state.final


class LastRuns:
    """The last run of each schedule of one job."""

    def __init__(self, reader: Reader, now: Callable[[], float] = time.time) -> None:
        """`now`: seconds since the epoch."""
        self._reader = reader
        self._now = now

    def take(self, schedule: str, uuid: str) -> tuple[str, State] | None:
        """Let a run be the last one of a schedule, unless another one goes on: the id of that, and
        its state.

        Raises:
            CloudError: others take the place again and again.
            ClientError, BotoCoreError: AWS has refused.
        """
        kept = self._reader.kept
        for _ in range(_TRIES):
            last = kept.last(schedule)
            if last is not None:
                if last.uuid == uuid:
                    return None
                state = self._state(last.uuid)
                if goes_on(state, self._now() - last.since):
                    return self._reader.deployment.run_id(last.uuid), state or State.QUEUED
            if kept.put_last(schedule, uuid, last):
                return None
        raise CloudError(
            f"schedule {schedule!r}: several of its times come at once",
            remedy="nothing: this one comes again",
        )

    def _state(self, uuid: str) -> State | None:
        known = self._reader.known(uuid)
        return None if known is None else decide(known, self._now()).record.state
