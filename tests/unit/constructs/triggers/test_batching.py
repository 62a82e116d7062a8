"""How many records come at once is in test_queue.py, for each kind of reader its own bounds."""

from __future__ import annotations

from devbridge.constructs import App, OnQueue, Queue
from devbridge.constructs.triggers.batching import Batched


def test_a_window_that_is_none_is_no_seconds(app: App) -> None:
    trigger = OnQueue(Queue(app, "q"))
    assert isinstance(trigger, Batched)
    assert trigger.window_seconds == 0
