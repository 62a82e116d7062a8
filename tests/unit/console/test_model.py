from __future__ import annotations

import msgspec

from devbridge.console import model
from devbridge.runs.model import State


def test_a_field_that_python_cannot_name_has_its_name_in_json() -> None:
    lines = model.Lines(3, ["a"], 4, True, "v")
    assert msgspec.json.decode(msgspec.json.encode(lines))["from"] == 3
    asked = msgspec.convert({"from": "-10", "back": "1"}, model.LogWanted, strict=False)
    assert (asked.start, asked.back, asked.count) == (-10, True, 200)


def test_a_state_is_a_text() -> None:
    told = msgspec.json.encode(model.Cancelled(State.RUNNING, State.CANCELLED, False))
    assert told == b'{"was":"RUNNING","state":"CANCELLED","waits":false,"grace":null}'
