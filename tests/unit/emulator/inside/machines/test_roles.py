from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from devbridge.emulator.inside.machines import roles
from devbridge.emulator.inside.machines.roles import DURATION, LONGEST, PATH, Role, served_by


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The sessions of a ministack in which everybody may assume every role."""
    made: dict[str, Any] = {}
    count = iter(range(100))
    iam = SimpleNamespace(
        _gen_session_access_key=lambda: f"ASIA{next(count)}",
        _gen_secret=lambda: "secret",
        _gen_session_token=lambda: "token",
    )
    sts = SimpleNamespace(
        _role_id=lambda arn: "AROA", register_session=made.__setitem__, _sessions=made
    )
    monkeypatch.setattr(roles, "_trust", lambda arn: None)
    monkeypatch.setattr(roles, "admits", lambda *_: True)
    monkeypatch.setattr(roles, "ministack", {"services.iam": iam, "services.sts": sts}.__getitem__)
    return made


def test_credentials_are_new_before_the_old_ones_are_too_old_for_an_sdk(
    sessions: dict[str, Any],
) -> None:
    now = 1000.0
    role = Role("arn:aws:iam::1:role/r", "s", source_arn="arn", now=lambda: now)
    assert sessions[role.keys["access"]]["Expiration"] == now + LONGEST
    first = role.document()
    assert sessions[first["AccessKeyId"]]["Expiration"] == now + DURATION
    assert first["Expiration"] == "1970-01-01T01:16:40Z"
    now += DURATION - 17 * 60
    assert role.document() == first
    now += 60
    assert role.document()["AccessKeyId"] != first["AccessKeyId"]
    role.close()
    assert role.keys["access"] not in sessions


async def test_only_the_endpoint_is_answered_and_only_with_the_token(
    sessions: dict[str, Any],
) -> None:
    role = Role("arn:aws:iam::1:role/r", "s", source_arn="arn")
    passed: list[str] = []
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        passed.append(scope["path"])

    async def send(message: Any) -> None:
        sent.append(message)

    served = served_by(app, lambda token: role if token == role.token else None)
    for headers in ([], [(b"authorization", b"x")], [(b"authorization", role.token.encode())]):
        await served({"type": "http", "path": PATH, "headers": headers}, None, send)
    await served({"type": "http", "path": "/other", "headers": []}, None, send)
    assert [each["status"] for each in sent if "status" in each] == [403, 403, 200]
    assert passed == ["/other"]


def test_a_role_is_found_by_its_token_as_long_as_its_machine_runs() -> None:
    register = roles.Register()
    role: Any = SimpleNamespace(token="t")
    forget = register.add(role)
    assert register.find("t") is role
    assert register.find("other") is None
    forget()
    assert register.find("t") is None
