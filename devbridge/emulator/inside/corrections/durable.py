"""That what the broker has acknowledged is there again after a restart: ministack keeps its state
in memory, and writes it when it stops, if there is room then; of sessions it writes nothing.

A reserve beside the state is given up for that. A request for a client that is away is refused when
there is no room to save it, or when it would push an older one out.
"""

from __future__ import annotations

import contextvars
import functools
import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from ..host import ministack

log = logging.getLogger("durable")

RESERVE: Final = 2 << 20
"""Bytes that are kept free for the state, and twice what the state had the last time."""
MARGIN: Final = 1 << 20
"""Bytes that must be free beyond what waits, for a further request to be taken."""
QUOTA_EXCEEDED: Final = 0x97
"""MQTT 5, section 3.4.2.1: PUBACK's reason when a limit of the server is reached."""
_LARGE: Final = ("cloudwatch_logs",)
"""Services whose state may be of any size, and matters least: saved last."""

_TRIES: Final = 4
_AGAIN: Final = 0.05
"""Seconds between two tries."""

_SESSIONS: Final = "devbridge_sessions"

_refused: contextvars.ContextVar[bool] = contextvars.ContextVar("refused", default=False)


def keep_room(app: Any) -> None:
    """Have room for the state when it is saved, though the disk is full; and let no service be left
    out because another thread has changed it meanwhile: without its state it would be empty at the
    next start, and who deploys would find nothing to do."""
    folder = Path(ministack("core.persistence").STATE_DIR)
    reserve, save = folder / "reserve", app.save_all
    _fill(reserve, RESERVE + 2 * sum(file.stat().st_size for file in folder.glob("*.json")))

    def save_in_the_reserve(services: Mapping[str, Any]) -> None:
        reserve.unlink(missing_ok=True)
        ordered = sorted(services.items(), key=lambda item: item[0] in _LARGE)
        save({name: functools.partial(_surely, name, get_state) for name, get_state in ordered})

    app.save_all = save_in_the_reserve


def _surely(name: str, get_state: Callable[[], Any]) -> Any:
    for _ in range(_TRIES - 1):
        try:
            return get_state()
        except Exception:
            log.exception("the state of %s could not be had; it is tried again", name)
            time.sleep(_AGAIN)
    return get_state()


def keep_what_waits() -> None:
    """Let the broker save its sessions, and acknowledge no request that it could not keep."""
    iot = ministack("services.iot")
    _save_sessions(iot)
    _refuse_what_cannot_be_kept(iot)


def _save_sessions(iot: Any) -> None:
    get_state, load = iot.get_state, iot.load_persisted_state

    def get_state_with_sessions() -> Any:
        sessions = [
            [*key, *_kept(session)]
            for key, session in iot._persistent_sessions.items()
            if not iot._is_session_expired(session)
        ]
        return {**get_state(), _SESSIONS: sessions}

    def load_with_sessions(data: Any) -> None:
        load(data)
        for account, region, client, filters, since, expiry, name, waiting in (
            data.get(_SESSIONS) or ()
        ):
            session = iot._PersistentSessionState(filters, since, expiry, name)
            session.queued_messages = [tuple(message) for message in waiting]
            iot._persistent_sessions[account, region, client] = session

    iot.get_state, iot.load_persisted_state = get_state_with_sessions, load_with_sessions


def _kept(session: Any) -> list[Any]:
    """What is kept of a session; what had been sent, and was not acknowledged, waits again."""
    again = [
        (each.topic, each.payload, 1, each.properties, session.created_at)
        for each in session.in_flight.values()
    ]
    waiting = [list(message) for message in (*again, *session.queued_messages)]
    return [
        session.subscriptions,
        session.created_at,
        session.expiry_interval,
        session.session_identifier,
        waiting,
    ]


def _refuse_what_cannot_be_kept(iot: Any) -> None:
    publish, puback = iot.broker_publish, iot._make_puback

    async def publish_if_kept(
        account: str, region: str, topic: str, payload: bytes, qos: int = 0, **rest: Any
    ) -> Any:
        _refused.set(qos > 0 and not _is_kept(iot, account, region, topic, len(payload)))
        if _refused.get():
            log.warning("a message to %s is refused: there is no room to keep it", topic)
            return None
        return await publish(account, region, topic, payload, qos=qos, **rest)

    def puback_as_it_is(packet_id: int, reason_code: int | None = None, **rest: Any) -> Any:
        if _refused.get() and reason_code == iot.RC5_SUCCESS:
            reason_code = QUOTA_EXCEEDED
        return puback(packet_id, reason_code=reason_code, **rest)

    iot.broker_publish = publish_if_kept
    iot._make_puback = puback_as_it_is


def _is_kept(iot: Any, account: str, region: str, topic: str, size: int) -> bool:
    """Whether a message has nobody to wait for, or can be kept for whom it waits."""
    for key, client in list(iot._connected_clients.items()):
        # It may be asleep: what it has not acknowledged waits for it when it is taken for gone.
        full = client._persist_session and len(client._in_flight) >= iot._MAX_QUEUED_MESSAGES
        if not full or key[:2] != (account, region):
            continue  # before its filters are looked at: each environment of a function is a client
        if _matches(iot, client._sub_filters.values(), topic):
            return False
    for key, session in list(iot._persistent_sessions.items()):
        if key[:2] != (account, region) or key in iot._connected_clients:
            continue
        if iot._is_session_expired(session) or not _matches(iot, session.subscriptions, topic):
            continue
        waiting = session.queued_messages
        if len(waiting) >= iot._MAX_QUEUED_MESSAGES:
            return False
        # The state has them in base64.
        if _free() < MARGIN + 2 * (size + sum(len(message[1]) for message in waiting)):
            return False
    return True


def _matches(iot: Any, filters: Iterable[str], topic: str) -> bool:
    matches: Callable[[str, str], bool] = iot._subscription_matches
    return any(matches(pattern, topic) for pattern in filters)


def _free() -> int:
    found = os.statvfs(ministack("core.persistence").STATE_DIR)
    return found.f_bavail * found.f_frsize


def _fill(path: Path, size: int) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.write(bytes(size))
    except OSError as error:
        log.warning("no room is kept for the state: %s", error)
