"""Asynchronous invocations as AWS Lambda makes them: what waits, what comes again, who is told.

ministack takes a throttled event for a failed one and drops it after two retries, gives each retry
a new request id, and tells nobody of a success. What it tells of a failure lacks the request's id,
has a wrong count, and reaches its destination without the function's role being asked.

"How Lambda handles errors and retries with asynchronous invocation" and "Capturing records of
Lambda asynchronous invocations", AWS Lambda's developer guide.
"""

from __future__ import annotations

import contextvars
import json
import logging
import re
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from ..host import ministack
from . import grants

log = logging.getLogger("asynchronous")

Json = Mapping[str, Any]

LATEST: Final = "$LATEST"
_INVOKE: Final = re.compile(r"/[0-9-]+/functions/[^/]+/invocations")
_LOOK: Final = 1.0
"""Seconds after which a throttled event is tried again, though nothing has ended meanwhile: on AWS
from 1 second to 5 minutes."""
_RETRIES: Final = 2
_AGE: Final = 6 * 3600
SUCCESS: Final = "Success"
EXHAUSTED: Final = "RetriesExhausted"
TOO_OLD: Final = "EventAgeExceeded"
SWITCHED_OFF: Final = "ZeroReservedConcurrency"

_request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")
"""Of the invocation that goes on; what its caller is told, and its retries have as well."""
_changed = threading.Condition()
"""Notified when an invocation has ended: a throttled event may be next."""
_ends = threading.Event()
"""That the cloud is stopping: nothing is tried again."""


@dataclass(frozen=True)
class Rules:
    """What becomes of a function's events."""

    retries: int = _RETRIES
    age: float = _AGE
    on_success: str = ""
    on_failure: str = ""
    dead_letters: str = ""
    """Where the event itself goes that failed, if anywhere."""


def rules(function: Json, qualifier: str) -> Rules:
    """As the function is configured for that qualifier."""
    configs = function.get("event_invoke_configs") or {}
    found = configs.get(qualifier)
    if not found and qualifier in ("", LATEST):
        found = configs.get(LATEST) or configs.get("") or function.get("event_invoke_config")
    found, config = found or {}, function.get("config") or {}
    to, retries = found.get("DestinationConfig") or {}, found.get("MaximumRetryAttempts")
    return Rules(
        retries=_RETRIES if retries is None else int(retries),
        age=float(found.get("MaximumEventAgeInSeconds") or _AGE),
        on_success=str((to.get("OnSuccess") or {}).get("Destination") or ""),
        on_failure=str((to.get("OnFailure") or {}).get("Destination") or ""),
        dead_letters=str((config.get("DeadLetterConfig") or {}).get("TargetArn") or ""),
    )


def record(
    function_arn: str,
    request_id: str,
    event: Any,
    condition: str,
    *,
    count: int,
    result: Json | None,
    version: str = LATEST,
    now: float,
) -> dict[str, Any]:
    """What a destination is told of an event.

    Args:
        count: how often the function was invoked with it.
        result: of the last invocation; None: there was none.
    """
    moment = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")
    told = {
        "version": "1.0",
        "timestamp": moment.replace("+00:00", "Z"),
        "requestContext": {
            "requestId": request_id,
            "functionArn": function_arn,
            "condition": condition,
            "approximateInvokeCount": count,
        },
        "requestPayload": event,
    }
    if result is None:
        return told
    context: dict[str, Any] = {"statusCode": 200, "executedVersion": version}
    if result.get("error"):
        context["functionError"] = result.get("function_error") or "Unhandled"
    return {**told, "responseContext": context, "responsePayload": result.get("body")}


def invoke_as_lambda() -> None:
    """Correct `services.lambda_svc`."""
    lambdas = ministack("services.lambda_svc")
    dispatch, release = lambdas._execute_function_dispatch, lambdas._release_execution_slot
    get_state = lambdas.get_state

    def dispatched(function: Any, config: Any, event: Any, request_id: str, *rest: Any) -> Any:
        return dispatch(function, config, event, _request_id.get() or request_id, *rest)

    def released(key: Any) -> None:
        release(key)
        with _changed:
            _changed.notify_all()

    def get_state_at_the_end() -> Any:
        _ends.set()
        with _changed:
            _changed.notify_all()
        return get_state()

    lambdas._execute_function_dispatch, lambdas._release_execution_slot = dispatched, released
    lambdas.get_state, lambdas.invoke_async_with_retry = get_state_at_the_end, begin


App = Callable[[Mapping[str, Any], Any, Any], Any]


def served_by(app: App) -> App:
    """The ASGI app, which tells who invokes a function the id that the function has in its context:
    ministack has two for them."""

    async def identified(scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not _INVOKE.fullmatch(scope["path"]):
            await app(scope, receive, send)
            return
        request_id = str(uuid.uuid4())
        own = {name: request_id.encode() for name in (b"x-amzn-requestid", b"x-amz-request-id")}

        async def send_with_id(message: Mapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                headers = [(name, own.get(name, value)) for name, value in message["headers"]]
                message = {**message, "headers": headers}
            await send(message)

        token = _request_id.set(request_id)
        try:
            await app(scope, receive, send_with_id)
        finally:
            _request_id.reset(token)

    return identified


def begin(function: Json, event: Any) -> None:
    """Invoke a function with an event, as often as it needs, and tell its destinations."""
    context = contextvars.copy_context()
    if not context.get(_request_id):
        context.run(_request_id.set, str(uuid.uuid4()))
    threading.Thread(target=context.run, args=(_run, function, event), daemon=True).start()


def _run(function: Json, event: Any) -> None:
    lambdas = ministack("services.lambda_svc")
    account, region = lambdas._account_region_from_function_config(function["config"])
    lambdas._request_account_id.set(account)
    lambdas._request_region.set(region)
    try:
        _Event(lambdas, function, event).run()
    except Exception:
        log.exception("an event of %s is lost", function["config"].get("FunctionName"))


class _Event:
    """One event on its way to a function."""

    def __init__(self, lambdas: Any, function: Json, event: Any) -> None:
        self._lambdas, self._first, self._event = lambdas, function, event
        config = function["config"]
        arn = str(config["FunctionArn"]).split(":")
        self._arn = ":".join(arn[:7])
        self._qualifier = arn[7] if len(arn) > 7 else ""
        self._name, self._version = config["FunctionName"], config.get("Version", LATEST)
        self._since = time.time()
        self._count = 0

    def run(self) -> None:
        """Until it is done with, or the function is gone."""
        last = None
        while (function := self._current()) and not _ends.is_set():
            rule = rules(self._lambdas._functions[self._name], self._qualifier)
            if self._lambdas._reserved_concurrency(function, function["config"]) == 0:
                return self._tell(function, rule, SWITCHED_OFF, last)
            result = self._lambdas._execute_function(function, self._event)
            if _ends.is_set():  # and has ended the function
                return None
            if result.get("throttle"):
                pause = None
            elif not result.get("error"):
                self._count += 1
                return self._tell(function, rule, SUCCESS, result)
            else:
                last, self._count = result, self._count + 1
                if self._count > rule.retries:
                    return self._tell(function, rule, EXHAUSTED, last)
                pause = self._pause()
            left = self._since + rule.age - time.time()
            if left < (pause or 0):
                return self._tell(function, rule, TOO_OLD, last)
            self._wait(pause, left)
        return None

    def _current(self) -> dict[str, Any] | None:
        """The function as it is now: its code, its variables and limits may have changed."""
        now = self._lambdas._functions.get(self._name)
        if now is None:
            return None
        found = now if self._version == LATEST else self._first
        config = {**found["config"], "FunctionArn": self._first["config"]["FunctionArn"]}
        return {**found, "config": config, "concurrency": now.get("concurrency")}

    def _pause(self) -> float:
        """Seconds until a failed event comes again: on AWS a minute, and then two."""
        lambdas = self._lambdas
        pause = lambdas._LAMBDA_ASYNC_RETRY_BASE_SECONDS * 2 ** (self._count - 1)
        return float(min(pause, lambdas._LAMBDA_ASYNC_RETRY_MAX_SECONDS))

    def _wait(self, pause: float | None, left: float) -> None:
        if pause is not None:
            _ends.wait(pause)
            return
        with _changed:
            _changed.wait(min(_LOOK, left))

    def _tell(self, function: Json, rule: Rules, condition: str, result: Json | None) -> None:
        destination = rule.on_success if condition == SUCCESS else rule.on_failure
        role = str(function["config"].get("Role", ""))
        if condition != SUCCESS and rule.dead_letters:
            deliver(rule.dead_letters, self._event, role)
        if destination:
            told = record(
                f"{self._arn}:{self._qualifier or LATEST}",
                _request_id.get(),
                self._event,
                condition,
                count=self._count,
                result=result,
                version=self._version,
                now=time.time(),
            )
            deliver(destination, told, role)


_ACTIONS: Final = {
    "lambda": "lambda:InvokeFunction",
    "sqs": "sqs:SendMessage",
    "sns": "sns:Publish",
    "events": "events:PutEvents",
}


def action_on(destination: str) -> str:
    """What a function's role must be allowed on its destination; empty: it can be none."""
    return _ACTIONS.get(destination.split(":")[2] if destination.count(":") > 4 else "", "")


def deliver(destination: str, told: Any, role_arn: str) -> None:
    """Hand a record (or, as a dead letter, an event) on, if the function's role may."""
    action = action_on(destination)
    if not action or not grants.role_may(role_arn, action, destination):
        log.warning("%s may not %s on %s: nobody is told", role_arn, action, destination)
    elif action == _ACTIONS["lambda"]:
        lambdas = ministack("services.lambda_svc")
        function, config, _ = lambdas._get_func_record_for_ref(destination)
        if function and config:
            _request_id.set("")  # an invocation of its own
            begin(lambdas._execution_record_for_config(function, config), told)
        else:
            log.warning("there is no function %s: nobody is told", destination)
    else:
        _SENDERS[action](destination, told)


def _to_queue(destination: str, told: Any) -> None:
    sqs = ministack("services.sqs")
    url = sqs._queue_name_to_url[destination.rpartition(":")[2]]
    sqs._act_send_message({"QueueUrl": url, "MessageBody": json.dumps(told)}, url)


def _to_topic(destination: str, told: Any) -> None:
    sns = ministack("services.sns")
    sns._fanout(destination, str(uuid.uuid4()), json.dumps(told), "", "", {})


def _to_bus(destination: str, told: Any) -> None:
    context = told["requestContext"]
    how = "Success" if context["condition"] == SUCCESS else "Failure"
    entry = {
        "Source": "lambda",
        "DetailType": f"Lambda Function Invocation Result - {how}",
        "Detail": json.dumps(told),
        "EventBusName": destination.rpartition("/")[2],
        "Resources": [destination, context["functionArn"]],
    }
    ministack("services.eventbridge")._put_events({"Entries": [entry]})


_SENDERS: Final = {
    _ACTIONS["sqs"]: _to_queue,
    _ACTIONS["sns"]: _to_topic,
    _ACTIONS["events"]: _to_bus,
}
