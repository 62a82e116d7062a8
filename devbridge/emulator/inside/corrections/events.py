"""What EventBridge's rules hand to functions and queues: as on AWS, and if their policies let it.

ministack invokes a rule's function once, whatever becomes of it, asks no target's policy, and drops
what it cannot deliver, dead-letter queue or not. It looks for rules that are due every 10 seconds,
and fires those with a rate once more after a restart.
"""

from __future__ import annotations

import contextvars
import logging
import threading
import time
from collections.abc import Mapping
from typing import Any, Final

from ..host import ministack
from . import deliveries, grants
from .deliveries import Undeliverable

log = logging.getLogger("events")

SERVICE: Final = "events.amazonaws.com"
TICK: Final = 1.0
"""Seconds between two looks at the rules with a schedule."""

_delivery: contextvars.ContextVar[_Delivery | None] = contextvars.ContextVar(
    "delivery", default=None
)


class _Delivery:
    """What a rule's target is called for."""

    def __init__(self, rule: Mapping[str, Any]) -> None:
        self.rule = str(rule.get("Arn", ""))
        self.problem: Undeliverable | None = None


def deliver_as_eventbridge() -> None:
    """Correct `services.eventbridge`."""
    events = ministack("services.eventbridge")
    invoke = events._invoke_target

    def invoke_target(target: Any, event: Any, rule: Mapping[str, Any], view: Any = None) -> Any:
        view = view or events._pattern_event_view(event)
        delivery = _Delivery(rule)
        token = _delivery.set(delivery)
        try:
            answer = invoke(target, event, rule, view)
        finally:
            _delivery.reset(token)
        if delivery.problem is not None:
            _bury(target, events.json.dumps(view.event_with_detail()), delivery)
        return answer

    events._invoke_target, events._dispatch_to_lambda = invoke_target, _to_function
    events._dispatch_to_sqs = _to_queue
    _look_often(events)


def _to_function(arn: str, payload: str) -> None:
    _attempt(lambda may: deliveries.to_function(arn, payload, may), arn)


def _to_queue(spec: Any, payload: str, parameters: Mapping[str, Any] | None = None) -> None:
    arn, group = str(spec), (parameters or {}).get("MessageGroupId")
    _attempt(lambda may: deliveries.to_queue(arn, payload, may, group=group), arn)


def _attempt(deliver: Any, arn: str) -> None:
    delivery = _delivery.get() or _Delivery({})
    try:
        deliver(_by_policy(arn, delivery.rule))
    except Undeliverable as problem:
        log.warning("%s is not told of %s: %s", arn, delivery.rule, problem)
        delivery.problem = problem


def _by_policy(arn: str, rule: str) -> deliveries.May:
    account = arn.split(":")[4] if arn.count(":") > 4 else ""
    return lambda policy, action: (
        bool(policy) and grants.service_may(policy, SERVICE, action, arn, rule, account)
    )


def _bury(target: Mapping[str, Any], event: str, delivery: _Delivery) -> None:
    """Send an event that was not delivered to the target's dead-letter queue, if it has one: at
    once, since what is not there or not allowed is not tried again ("Using dead-letter queues to
    process undelivered events in EventBridge")."""
    queue = str((target.get("DeadLetterConfig") or {}).get("Arn") or "")
    if not queue or delivery.problem is None:
        return
    attributes = {
        "RULE_ARN": delivery.rule,
        "TARGET_ARN": str(target.get("Arn", "")),
        "ERROR_CODE": delivery.problem.code,
        "ERROR_MESSAGE": str(delivery.problem),
    }
    try:
        may = _by_policy(queue, delivery.rule)
        deliveries.to_queue(queue, event, may, attributes=attributes)
    except Undeliverable as problem:
        log.warning(
            "an event for %s is lost: its dead-letter queue: %s", target.get("Arn"), problem
        )


def _look_often(events: Any) -> None:
    """Fire what is due within a second, and nothing because the cloud was started again."""
    tick, lock = events._tick_scheduled_rules, threading.Lock()

    def tick_alone() -> None:
        with lock:
            now = time.time()
            for key, rule in list(events._rules._data.items()):
                interval = events._parse_rate_seconds(rule.get("ScheduleExpression", ""))
                if interval and key not in events._rule_last_fired:
                    passed = now - rule.get("CreationTime", now)
                    events._rule_last_fired[key] = now - passed % interval
            tick()

    def tick_forever() -> None:
        while True:
            time.sleep(TICK)
            try:
                tick_alone()
            except Exception:
                log.exception("the rules with a schedule")

    events._tick_scheduled_rules = tick_alone
    threading.Thread(target=tick_forever, daemon=True).start()
