"""What EventBridge hands to functions: asynchronously, as on AWS, and if their policies let it.

ministack invokes a rule's function once, whatever becomes of it, and asks no function's policy.
"""

from __future__ import annotations

import contextvars
import json
import logging
from collections.abc import Mapping
from typing import Any, Final

from ..host import ministack
from . import asynchronous, grants

log = logging.getLogger("events")

SERVICE: Final = "events.amazonaws.com"

_rule: contextvars.ContextVar[str] = contextvars.ContextVar("rule", default="")
"""The ARN of the rule whose target is called."""


def deliver_as_eventbridge() -> None:
    """Correct `services.eventbridge`."""
    events = ministack("services.eventbridge")
    invoke = events._invoke_target

    def invoke_target(target: Any, event: Any, rule: Mapping[str, Any], *rest: Any) -> Any:
        token = _rule.set(str(rule.get("Arn", "")))
        try:
            return invoke(target, event, rule, *rest)
        finally:
            _rule.reset(token)

    events._invoke_target, events._dispatch_to_lambda = invoke_target, _to_function


def _to_function(arn: str, payload: str) -> None:
    lambdas = ministack("services.lambda_svc")
    function, config, name = lambdas._get_func_record_for_ref(arn)
    if not function or not config:
        log.warning("the target of %s is not there: %s", _rule.get(), name)
        return
    account, rule = arn.split(":")[4], _rule.get()
    action = "lambda:InvokeFunction"
    if not grants.service_may(function.get("policy"), SERVICE, action, arn, rule, account):
        log.warning("%s is not told: its policy does not let %s in, for %s", arn, SERVICE, rule)
        return
    asynchronous.begin(lambdas._execution_record_for_config(function, config), json.loads(payload))
