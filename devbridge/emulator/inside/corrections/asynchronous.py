"""Asynchronous invocations as AWS Lambda makes them: what waits, what comes again, who is told.

ministack takes a throttled event for a failed one and drops it after two retries, gives each retry
a new request id, and tells nobody of a success. What it tells of a failure lacks the request's id,
has a wrong count, and reaches its destination without the function's role being asked. And it
forgets all events when it is stopped.

"How Lambda handles errors and retries with asynchronous invocation" and "Capturing records of
Lambda asynchronous invocations", AWS Lambda's developer guide.
"""

from __future__ import annotations

import contextlib
import contextvars
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ..asgi import App
from ..host import ministack
from . import destinations
from .destinations import EXHAUSTED, LATEST, SUCCESS, SWITCHED_OFF, TOO_OLD
from .payloads import is_invocation

log = logging.getLogger("asynchronous")

Json = Mapping[str, Any]

_LOOK: Final = 1.0
"""Seconds after which a throttled event is tried again, though nothing has ended meanwhile: on AWS
from 1 second to 5 minutes."""
_SERVED: Final = 60.0
"""Seconds within which a cloud that has started can be reached."""
_EVENTS: Final = "devbridge_events"
_KILLED: Final = "Runtime exited with error: signal: killed"
_RETRIES: Final = 2
_AGE: Final = 6 * 3600

_request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")
"""Of the invocation that goes on; what its caller is told, and its retries have as well."""
_changed = threading.Condition()
"""Notified when an invocation has ended: a throttled event may be next."""
_open: list[_Event] = []
"""The events that are not done with."""
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


def invoke_as_lambda() -> None:
    """Correct `services.lambda_svc`."""
    lambdas = ministack("services.lambda_svc")
    dispatch, release = lambdas._execute_function_dispatch, lambdas._release_execution_slot
    get_state, load = lambdas.get_state, lambdas.load_persisted_state

    def dispatched(function: Any, config: Any, event: Any, request_id: str, *rest: Any) -> Any:
        return dispatch(function, config, event, _request_id.get() or request_id, *rest)

    def released(key: Any) -> None:
        release(key)
        with _changed:
            _changed.notify_all()

    def get_state_with_events() -> Any:
        _ends.set()
        with _changed:
            _changed.notify_all()
        open_ = [event.kept() for event in list(_open)]
        return {**get_state(), _EVENTS: open_}

    def load_with_events(data: Any) -> None:
        load(data)
        for kept in (data or {}).get(_EVENTS) or ():
            threading.Thread(target=_resume, args=(kept,), daemon=True).start()

    lambdas._execute_function_dispatch, lambdas._release_execution_slot = dispatched, released
    lambdas.get_state, lambdas.load_persisted_state = get_state_with_events, load_with_events
    lambdas.invoke_async_with_retry = begin


def served_by(app: App) -> App:
    """The ASGI app, which tells who invokes a function the id that the function has in its context:
    ministack has two for them."""

    async def identified(scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not is_invocation(scope["path"]):
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


def _begin_another(function: Json, event: Any) -> None:
    """Invoke a function that is told of another's event: with a request id of its own."""
    _request_id.set("")
    begin(function, event)


def _resume(kept: Json) -> None:
    """Go on with an event that was open when the cloud was stopped, when it can be reached."""
    _request_id.set(kept["requestId"])
    until = time.monotonic() + _SERVED
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", int(os.environ["GATEWAY_PORT"])), 1).close()
            break
        time.sleep(0.05)
    _run({"config": kept["config"]}, kept["event"], kept)


def _run(function: Json, event: Any, kept: Json | None = None) -> None:
    lambdas = ministack("services.lambda_svc")
    account, region = lambdas._account_region_from_function_config(function["config"])
    lambdas._request_account_id.set(account)
    lambdas._request_region.set(region)
    open_ = _Event(lambdas, function, event, kept)
    _open.append(open_)
    try:
        open_.run()
    except Exception:
        log.exception("an event of %s is lost", function["config"].get("FunctionName"))
    finally:
        if not _ends.is_set():
            _open.remove(open_)


class _Event:
    """One event on its way to a function."""

    def __init__(self, lambdas: Any, function: Json, event: Any, kept: Json | None) -> None:
        self._lambdas, self._first, self._event = lambdas, function, event
        config = function["config"]
        arn = str(config["FunctionArn"]).split(":")
        self._arn = ":".join(arn[:7])
        self._qualifier = arn[7] if len(arn) > 7 else ""
        self._name, self._version = config["FunctionName"], config.get("Version", LATEST)
        self._request = _request_id.get()
        self._since = kept["since"] if kept else time.time()
        self._count = kept["count"] if kept else 0
        self._lost = bool(kept and kept["runs"])
        """That the function had it when the cloud was stopped."""
        self._runs = False

    def kept(self) -> dict[str, Any]:
        """What is needed to go on with it."""
        config = self._first["config"]
        names = ("FunctionArn", "FunctionName", "Version")
        return {
            "config": {name: config[name] for name in names if name in config},
            "event": self._event,
            "requestId": self._request,
            "since": self._since,
            "count": self._count,
            "runs": self._runs,
        }

    def run(self) -> None:
        """Until it is done with, or the function is gone."""
        last = None
        while (function := self._current()) and not _ends.is_set():
            rule = rules(self._lambdas._functions[self._name], self._qualifier)
            if self._lambdas._reserved_concurrency(function, function["config"]) == 0:
                return self._tell(function, rule, SWITCHED_OFF, last)
            result = self._invoke(function)
            if _ends.is_set():  # and has ended the function
                return None
            self._runs = False
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

    def _invoke(self, function: Json) -> Json:
        if self._lost:
            self._lost = False
            message = f"RequestId: {self._request} Error: {_KILLED}"
            body = {"errorType": "Runtime.ExitError", "errorMessage": message}
            return {"error": True, "body": body}
        self._runs = True
        result: Json = self._lambdas._execute_function(function, self._event)
        return result

    def _current(self) -> dict[str, Any] | None:
        """The function as it is now: its code, its variables and limits may have changed."""
        now = self._lambdas._functions.get(self._name)
        if now is None:
            return None
        versions = now.get("versions") or {}
        found = now if self._version == LATEST else versions.get(self._version, self._first)
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
            destinations.deliver(rule.dead_letters, self._event, role, _begin_another)
        if destination:
            told = destinations.record(
                f"{self._arn}:{self._qualifier or LATEST}",
                self._request,
                self._event,
                condition,
                count=self._count,
                result=result,
                version=self._version,
                now=time.time(),
            )
            destinations.deliver(destination, told, role, _begin_another)
