from __future__ import annotations

from typing import Any

from devbridge.emulator.inside.corrections import tagged
from tests.unit.emulator.inside.conftest import MakeModule


def test_streams_are_found_by_their_tags(ministack: MakeModule) -> None:
    collectors: dict[str, Any] = {}
    ministack("services.tagging", _COLLECTORS=collectors)
    streams = {
        "a": {"StreamARN": "arn:a", "tags": {"team": "data"}},
        "b": {"StreamARN": "arn:b"},
    }
    ministack("services.kinesis", _streams=streams)
    tagged.find_streams()
    assert list(collectors["kinesis"]()) == [
        ("arn:a", [{"Key": "team", "Value": "data"}]),
        ("arn:b", []),
    ]
