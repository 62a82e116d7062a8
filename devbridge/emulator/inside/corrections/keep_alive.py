"""That the broker ends a connection over which nothing comes any more, so that the client's will is
told and its messages wait for it: ministack takes a laptop that sleeps for one that is there.

"If the Keep Alive value is non-zero and the Server does not receive an MQTT Control Packet from the
Client within one and a half times the Keep Alive time period, it MUST close the Network Connection"
(MQTT 5, 3.1.2.10), which AWS IoT does.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any, Final

from ..host import ministack

log = logging.getLogger("keep_alive")

PATIENCE: Final = 1.5


def end_silent_connections() -> None:
    """Correct `services.iot`."""
    iot = ministack("services.iot")
    sessions = iot._WSSession
    handle, clean_up = sessions.handle_packet, sessions.cleanup

    async def handle_packet(session: Any, kind: int, flags: int, body: bytes) -> Any:
        session.heard = time.monotonic()
        if kind == iot.PKT_CONNECT and (seconds := keep_alive(body)):
            session.silence = asyncio.create_task(_end_when_silent(session, seconds * PATIENCE))
        return await handle(session, kind, flags, body)

    async def cleanup(session: Any) -> None:
        silence = getattr(session, "silence", None)
        if silence is not None and silence is not asyncio.current_task():
            silence.cancel()
        await clean_up(session)

    sessions.handle_packet, sessions.cleanup = handle_packet, cleanup


def keep_alive(connect: bytes) -> int:
    """The seconds that a CONNECT names, whose body this is; 0: for ever. Pure."""
    at = 2 + int.from_bytes(connect[:2], "big") + 2  # the protocol's name, its version, the flags
    return int.from_bytes(connect[at : at + 2], "big")


async def _end_when_silent(session: Any, seconds: float) -> None:
    while (left := session.heard + seconds - time.monotonic()) > 0:  # noqa: ASYNC110
        await asyncio.sleep(left)
    log.info("nothing has come from %s for %g s", session._client_id, seconds)
    # Not before: what is sent to a client that does not read may wait for it.
    await session.cleanup()
    await session._send({"type": "websocket.close", "code": 1000})
