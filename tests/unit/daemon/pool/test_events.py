from __future__ import annotations

import dataclasses
from typing import get_args

import pytest

from devbridge.daemon.pool import events


@pytest.mark.parametrize("kind", [*get_args(events.Event), *get_args(events.Effect)])
def test_events_and_effects_are_values(kind: type) -> None:
    assert dataclasses.is_dataclass(kind)
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
