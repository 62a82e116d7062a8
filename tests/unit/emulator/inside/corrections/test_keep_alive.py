from __future__ import annotations

import asyncio
from typing import Any

import pytest

from devbridge.emulator.inside.corrections import keep_alive
from tests.unit.emulator.inside.conftest import MakeModule

CONNECT, PINGREQ = 1, 12
AS_MQTT_SAYS = keep_alive.PATIENCE
pytestmark = pytest.mark.timeout(5)


class Session:
    """ministack's, as far as it is changed."""

    _client_id = "laptop"

    def __init__(self) -> None:
        self.told: list[str] = []
        self.ended = asyncio.Event()

    async def handle_packet(self, kind: int, flags: int, body: bytes) -> bool:
        return bool(kind)

    async def cleanup(self) -> None:
        self.told.append("will")

    async def _send(self, message: dict[str, Any]) -> None:
        self.told.append(message["type"])
        self.ended.set()


@pytest.fixture
def session(ministack: MakeModule, monkeypatch: pytest.MonkeyPatch) -> type[Session]:
    made = type("Session", (Session,), dict(vars(Session)))
    ministack("services.iot", _WSSession=made, PKT_CONNECT=CONNECT)
    monkeypatch.setattr(keep_alive, "PATIENCE", 0.01)
    keep_alive.end_silent_connections()
    return made


def connect(seconds: int) -> bytes:
    """The beginning of a CONNECT's body, MQTT 5."""
    return b"\0\4MQTT\5\2" + seconds.to_bytes(2, "big") + b"\0"


def test_its_patience_is_that_of_the_standard() -> None:
    assert AS_MQTT_SAYS == 1.5


def test_the_keep_alive_of_a_connect_is_read() -> None:
    assert keep_alive.keep_alive(connect(1200)) == 1200
    assert keep_alive.keep_alive(b"\0\6MQIsdp\3\2\0\x1e\0\1a") == 30
    assert keep_alive.keep_alive(b"\0\4MQTT") == 0


async def test_who_is_silent_for_too_long_is_cleaned_up_and_closed(session: type[Session]) -> None:
    one = session()
    assert await one.handle_packet(CONNECT, 0, connect(1))
    await one.ended.wait()
    assert one.told == ["will", "websocket.close"]


async def test_a_packet_is_a_sign_of_life(session: type[Session]) -> None:
    one, times = session(), list[float]()
    loop = asyncio.get_running_loop()
    await one.handle_packet(CONNECT, 0, connect(5))
    for _ in range(3):
        times.append(loop.time())
        assert await one.handle_packet(PINGREQ, 0, b"")
        await asyncio.sleep(0)
    await one.ended.wait()
    assert loop.time() >= times[-1] + 0.05


async def test_who_wants_to_be_silent_may_be_and_so_may_who_has_gone(
    session: type[Session],
) -> None:
    patient, gone = session(), session()
    await patient.handle_packet(CONNECT, 0, connect(0))
    await gone.handle_packet(CONNECT, 0, connect(1))
    await gone.cleanup()
    other = session()
    await other.handle_packet(CONNECT, 0, connect(3))
    await other.ended.wait()
    assert (patient.told, gone.told) == ([], ["will"])
