from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from devbridge.emulator.inside.corrections import durable
from tests.unit.emulator.inside.conftest import MakeModule

HERE = ("1", "eu-west-1")
FREE = durable.MARGIN + 1000


@dataclass
class Session:
    subscriptions: dict[str, int]
    created_at: float = 1.0
    expiry_interval: int = 60
    session_identifier: str = "s"
    queued_messages: list[tuple[Any, ...]] = field(default_factory=list)
    in_flight: dict[int, Any] = field(default_factory=dict)
    expired: bool = False


@dataclass
class Broker:
    """ministack's, as far as it is changed."""

    module: Any
    published: list[str] = field(default_factory=list)

    async def publish(self, topic: str, payload: bytes = b"x", qos: int = 1) -> Any:
        """The reason in the PUBACK that the sender gets."""
        await self.module.broker_publish(*HERE, topic, payload, qos=qos)
        return self.module._make_puback(1, reason_code=self.module.RC5_SUCCESS)


@pytest.fixture
def broker(ministack: MakeModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Broker:
    made = Broker(None)

    async def publish(account: str, region: str, topic: str, payload: bytes, qos: int) -> None:
        made.published.append(topic)

    def matches(pattern: str, topic: str) -> bool:
        return re.fullmatch(pattern.replace("#", ".*"), topic) is not None

    def load(data: Mapping[str, Any]) -> None:
        made.module.loaded = data

    made.module = ministack(
        "services.iot",
        broker_publish=publish,
        _make_puback=lambda packet_id, reason_code=None: reason_code,
        get_state=lambda: {"things": 1},
        load_persisted_state=load,
        _persistent_sessions={},
        _connected_clients={},
        _is_session_expired=lambda session: session.expired,
        _subscription_matches=matches,
        _PersistentSessionState=Session,
        _MAX_QUEUED_MESSAGES=2,
        RC5_SUCCESS=0,
    )
    ministack("core.persistence", STATE_DIR=str(tmp_path))
    monkeypatch.setattr(durable, "_free", lambda: FREE)
    durable.keep_what_waits()
    return made


def connected(pattern: str, waits: int, *, persists: bool = True) -> SimpleNamespace:
    """A client, with so many messages that it has not acknowledged."""
    return SimpleNamespace(
        _persist_session=persists,
        _in_flight=dict.fromkeys(range(waits)),
        _sub_filters={"1": "b", "2": pattern},
    )


async def test_a_message_for_nobody_who_is_away_is_acknowledged(broker: Broker) -> None:
    broker.module._persistent_sessions.update(
        {
            (*HERE, "there"): Session({"a/#": 1}),
            (*HERE, "other"): Session({"b/#": 1}),
            (*HERE, "expired"): Session({"a/#": 1}, expired=True),
            ("2", "eu-west-1", "elsewhere"): Session({"a/#": 1}),
        }
    )
    broker.module._connected_clients[(*HERE, "there")] = connected("a/#", waits=1)
    assert await broker.publish("a/x", bytes(10_000)) == 0
    assert broker.published == ["a/x"]


async def test_a_message_that_would_push_an_older_one_out_is_refused(broker: Broker) -> None:
    waiting = [("a/x", b"1"), ("a/x", b"2")]
    broker.module._persistent_sessions[(*HERE, "away")] = Session({"b": 1, "a/#": 1})
    assert await broker.publish("a/x") == 0
    broker.module._persistent_sessions[(*HERE, "away")].queued_messages = waiting
    assert await broker.publish("a/x") == durable.QUOTA_EXCEEDED
    assert broker.published == ["a/x"]


async def test_so_is_one_that_a_client_would_not_find_again_who_sleeps(broker: Broker) -> None:
    clients = broker.module._connected_clients
    clients[(*HERE, "asleep")] = connected("a/#", waits=1)
    assert await broker.publish("a/x") == 0
    clients[(*HERE, "asleep")] = connected("a/#", waits=2)
    assert await broker.publish("c/x") == 0
    assert await broker.publish("a/x") == durable.QUOTA_EXCEEDED
    clients[(*HERE, "asleep")] = connected("a/#", waits=2, persists=False)
    assert await broker.publish("a/x") == 0


async def test_what_clients_have_subscribed_to_is_not_looked_at_while_they_can_take_more(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[str, ...]] = []
    monkeypatch.setattr(broker.module, "_subscription_matches", lambda *each: compared.append(each))
    clients = broker.module._connected_clients
    clients.update({(*HERE, str(number)): connected("a/#", waits=1) for number in range(3)})
    assert await broker.publish("a/x") == 0
    assert compared == []


async def test_a_message_that_there_is_no_room_to_save_is_refused(broker: Broker) -> None:
    session = Session({"a/#": 1}, queued_messages=[("a/x", bytes(300))])
    broker.module._persistent_sessions[(*HERE, "away")] = session
    assert await broker.publish("a/x", bytes(200)) == 0  # 2 * (200 + 300) is just free
    assert await broker.publish("a/x", bytes(201)) == durable.QUOTA_EXCEEDED
    assert await broker.publish("a/x", bytes(201), qos=0) == 0


def test_sessions_are_there_again_with_what_had_not_been_acknowledged(broker: Broker) -> None:
    sent = SimpleNamespace(topic="a/x", payload=b"1", properties={"p": 1})
    session = Session({"a/#": 1}, queued_messages=[("a/x", b"2", 1, {}, 1.0)], in_flight={7: sent})
    broker.module._persistent_sessions.update(
        {(*HERE, "away"): session, (*HERE, "gone"): Session({}, expired=True)}
    )
    state = broker.module.get_state()
    assert state["things"] == 1
    broker.module._persistent_sessions.clear()
    broker.module.load_persisted_state(state)
    ((key, again),) = broker.module._persistent_sessions.items()
    assert key == (*HERE, "away")
    assert again.queued_messages == [("a/x", b"1", 1, {"p": 1}, 1.0), ("a/x", b"2", 1, {}, 1.0)]
    assert (again.subscriptions, again.expiry_interval) == ({"a/#": 1}, 60)
    broker.module.load_persisted_state({})
    assert broker.module.loaded == {}


def test_a_reserve_is_given_up_when_the_state_is_saved_large_services_last(
    ministack: MakeModule, tmp_path: Path
) -> None:
    (tmp_path / "s3.json").write_bytes(bytes(1000))
    reserve, saved = tmp_path / "reserve", []

    def save(services: Mapping[str, Any]) -> None:
        saved.append((list(services), reserve.exists()))

    app = SimpleNamespace(save_all=save)
    ministack("core.persistence", STATE_DIR=str(tmp_path))
    durable.keep_room(app)
    assert reserve.stat().st_size == durable.RESERVE + 2000
    app.save_all({"cloudwatch_logs": dict, "iot": dict, "s3": dict})
    assert saved == [(["iot", "s3", "cloudwatch_logs"], False)]


@pytest.mark.parametrize("failures", [1, 3, 4])
def test_a_state_that_changes_while_it_is_copied_is_copied_again(
    failures: int, ministack: MakeModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durable, "_AGAIN", 0)
    fails = iter(range(failures))

    def get_state() -> str:
        if next(fails, None) is not None:
            raise RuntimeError("dictionary changed size during iteration")
        return "functions"

    saved: list[str] = []
    app = SimpleNamespace(save_all=lambda services: saved.append(services["lambda"]()))
    ministack("core.persistence", STATE_DIR=str(tmp_path))
    durable.keep_room(app)
    with contextlib.suppress(RuntimeError):
        app.save_all({"lambda": get_state})
    assert saved == (["functions"] if failures < 4 else [])


def test_a_disk_that_is_full_already_keeps_no_cloud_from_starting(
    ministack: MakeModule, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    ministack("core.persistence", STATE_DIR=str(tmp_path / "file"))
    durable.keep_room(SimpleNamespace(save_all=None))
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]
