from __future__ import annotations

import json
from contextlib import AbstractContextManager, nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from devbridge.emulator.inside.machines import events
from devbridge.emulator.inside.machines.events import iso, putter
from tests.unit.emulator.inside.conftest import MakeModule


def test_an_event_is_put_in_the_scope_of_what_it_tells_of(ministack: MakeModule) -> None:
    put: list[Any] = []
    scopes: list[Any] = []

    def request_scope(*scope: str) -> AbstractContextManager[None]:
        scopes.append(scope)
        return nullcontext()

    def put_events(data: Any, *, allow_aws_source: bool) -> None:
        assert allow_aws_source
        put.append(data)

    bus = SimpleNamespace(_put_events=put_events)
    ministack("app", _get_module=lambda name: {"eventbridge": bus}[name])
    ministack("core.responses", request_scope=request_scope)
    putter("aws.ecs", "1", "eu-west-1")("ECS Task State Change", ["arn"], {"a": 1})
    ((entry,),) = (each["Entries"] for each in put)
    assert json.loads(entry.pop("Detail")) == {"a": 1}
    assert entry == {
        "Source": "aws.ecs",
        "DetailType": "ECS Task State Change",
        "Resources": ["arn"],
    }
    assert scopes == [("1", "eu-west-1")]


def test_what_goes_wrong_with_an_event_stops_nothing(
    ministack: MakeModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[Any] = []
    monkeypatch.setattr(events, "log", SimpleNamespace(exception=lambda *words: said.append(words)))
    ministack("app", _get_module={}.__getitem__)
    putter("aws.ecs", "1", "eu-west-1")("kind", [], {})
    assert said == [("an event of %s", "aws.ecs")]


def test_times_have_milliseconds_and_are_in_utc() -> None:
    assert iso(1.0625) == "1970-01-01T00:00:01.062Z"
