"""How many records are handed over at once, and how many are one run."""

from __future__ import annotations

from typing import Any

import pytest

from devbridge.constructs import App, OnQueue, Queue
from tests.unit.constructs.triggers.conftest import Refused


@pytest.mark.parametrize(
    ("options", "at_once", "window"),
    [
        ({}, 10, 0),
        ({"batch_size": 3}, 3, 0),
        ({"batch": 4}, 4, 0),
        ({"batch": 400, "window": "30 seconds"}, 400, 30),
    ],
)
def test_records_come_alone_or_together(
    app: App, options: dict[str, Any], at_once: int, window: int
) -> None:
    trigger = OnQueue(Queue(app, "orders"), **options)
    assert trigger.batch_problem() is None
    assert (trigger.at_once, trigger.window_seconds) == (at_once, window)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"batch_size": 0}, "batch_size 0"),
        ({"batch_size": True}, "batch_size True"),
        ({"batch": 10_001, "window": "1 second"}, "batch 10001"),
        ({"batch": 2, "batch_size": 2}, "batch_size 2"),
        ({"window": "6 minutes"}, "window '6 minutes'"),
        ({"window": "0.5 seconds"}, "window '0.5 seconds'"),
        ({"window": None}, "window None"),
    ],
)
def test_sizes_and_times_that_lambda_does_not_have_are_refused(
    app: App, refused: Refused, options: dict[str, Any], told: str
) -> None:
    assert told in refused(OnQueue(Queue(app, "orders"), **options))
