from __future__ import annotations

import time
from typing import Any

import pytest

from devbridge.emulator.inside.corrections import events
from tests.unit.emulator.inside.conftest import MakeModule


def test_a_rate_goes_on_after_a_restart_and_does_not_come_at_once(
    ministack: MakeModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "TICK", 1e6)
    now, ticks = time.time(), list[dict[Any, float]]()
    rates = {"rate(1 minute)": 60}
    rules = {
        "old": {"ScheduleExpression": "rate(1 minute)", "CreationTime": now - 150},
        "cron": {"ScheduleExpression": "cron(0 1 * * ? *)", "CreationTime": now - 150},
        "known": {"ScheduleExpression": "rate(1 minute)", "CreationTime": now - 150},
    }
    made = ministack(
        "services.eventbridge", _invoke_target=None, _rules=ministack("x", _data=rules)
    )
    made._rule_last_fired, made._parse_rate_seconds = {"known": 7.0}, rates.get
    made._tick_scheduled_rules = lambda: ticks.append(dict(made._rule_last_fired))
    events.deliver_as_eventbridge()
    made._tick_scheduled_rules()
    (fired,) = ticks
    assert fired == {"known": 7.0, "old": pytest.approx(now - 30, abs=5)}
