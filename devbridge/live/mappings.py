"""What hands messages of queues and streams to the stubs: only while somebody is here to run them.

A message that is read while nobody is there comes back, and after some times is given up; one that
is not read waits. So the stage's event source mappings are disabled until `devbridge dev` is ready,
and again when it ends, which a guard sees to where it is killed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any, Final

from devbridge import names
from devbridge.cloud.session import Cloud
from devbridge.constructs import App, Job
from devbridge.daemon.daemon import Daemon
from devbridge.live.guard import Guard
from devbridge.live.redeployer import Redeployer
from devbridge.live.threads import in_thread
from devbridge.live.voice import Voice
from devbridge.words import many

LOOK: Final = 0.5
"""Seconds between looks at whether the app was deployed anew."""
_AT_END: Final = 5.0
"""Seconds for disabling them when the daemon ends."""
_AGAIN: Final = 10
"""How often a mapping is asked that is still being changed."""
_PAUSE: Final = 1.0


class Mappings:
    """The mappings of a stage's live jobs."""

    def __init__(
        self, cloud: Cloud, stage: str, voice: Voice, daemon: Daemon, guard: Guard
    ) -> None:
        """
        Args:
            daemon: takes the runs: another one that has the stage now has the mappings, too.
            guard: disables them when this process has gone without doing so.
        """
        self._cloud = cloud
        self._stage = stage
        self._voice = voice
        self._daemon = daemon
        self._guard = guard

    async def tend(self, redeployer: Redeployer) -> None:
        """Keep them enabled once runs are taken, whatever is deployed. Until it is cancelled, which
        disables them."""
        await self._daemon.wait_until_ready()
        try:
            while True:
                good = redeployer.good
                await in_thread(lambda app=good.app: self.switch(app, on=True))  # type: ignore[misc]
                while redeployer.good is good:  # noqa: ASYNC110 - it is told to nobody else
                    await asyncio.sleep(LOOK)
        finally:
            taken_over = self._daemon.bridge.taken_over.is_set()
            if taken_over or await self._leave(redeployer.good.app):
                self._guard.release()

    async def _leave(self, app: App) -> bool:
        """Disable them; False: that failed, and the guard is to try once more."""
        if not _live(app):
            return True
        try:
            async with asyncio.timeout(_AT_END):
                count = await asyncio.to_thread(self.switch, app, on=False)
        except Exception as error:
            self._voice.warn(f"queues are still read: {error}: what comes now waits in the broker")
            return False
        if count:
            what = many(count, "queue or stream is", "queues and streams are")
            self._voice(f"{what} not read any more: messages wait until the next `devbridge dev`")
        return True

    def switch(self, app: App, *, on: bool) -> int:
        """Enable or disable them all; how many there are.

        Raises:
            botocore's errors.
        """
        functions = [names.invoker(job, self._stage) for job in _live(app)]
        found = [mapping["UUID"] for function in functions for mapping in self._of(function)]
        if on:
            self._guard.watch(found)
        for uuid in found:
            self._switch(uuid, on=on)
        return len(found)

    def _of(self, function: str) -> Iterator[dict[str, Any]]:
        pages = self._cloud.client("lambda").get_paginator("list_event_source_mappings")
        for page in pages.paginate(FunctionName=function):
            yield from page["EventSourceMappings"]

    def _switch(self, uuid: str, *, on: bool) -> None:
        from botocore.exceptions import ClientError

        client = self._cloud.client("lambda")
        for number in range(_AGAIN):
            try:
                client.update_event_source_mapping(UUID=uuid, Enabled=on)
                return
            except ClientError as error:
                busy = error.response["Error"]["Code"] == "ResourceInUseException"
                if not busy or number == _AGAIN - 1:
                    raise
            time.sleep(_PAUSE)


def _live(app: App) -> list[Job]:
    """The jobs that run here, and have triggers."""
    return [job for job in app.of_type(Job) if job.live and job.triggers]
