"""Requests over HTTP that start a run: they are answered at once with its id."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from runner.messages import Listening, Read, of_bytes, of_text
from stub_lambda.records import Outcome, Record, record_of

_STATUS: Final = {"PayloadTooLarge": 413, "BadEvent": 400, "NoDaemon": 503, "Offline": 503}
"""HTTP's for an invoker's refusals; 502 for others."""
_JSON: Final = {"content-type": "application/json"}


class HttpApi:
    """A route of an HTTP API, payload format 2.0."""

    ordered = False
    kind = "request"

    def matches(self, event: Mapping[str, Any]) -> bool:
        """See `Source.matches`."""
        return "http" in _requested(event)

    def starts(self, event: Mapping[str, Any], listening: Listening) -> Sequence[Record]:
        """See `Source.starts`. The caller's ``Idempotency-Key`` is the run's key."""
        name, own = self.route(event, listening), _header(event, "idempotency-key")
        body = event.get("body") or ""
        if event.get("isBase64Encoded"):
            payload = of_bytes(base64.b64decode(body))
        else:
            payload = of_text(body) if body else b"null"
        key = own or self.number(event)
        read = Read(key, key, payload, self.kind, name)
        return [record_of(read, event, remember=bool(own))]

    def route(self, event: Mapping[str, Any], listening: Listening) -> str:
        """What the trigger is called that the request came by."""
        route = str(event.get("routeKey", ""))
        return str(listening.sources.get(route, {}).get("name") or route)

    def number(self, event: Mapping[str, Any]) -> str:
        """The id of the request."""
        return str(_requested(event).get("requestId", ""))

    def answer(self, outcomes: Sequence[Outcome]) -> dict[str, Any]:
        """202 and the invoker's answer, which has the run's id; or why there is no run."""
        (outcome,) = outcomes
        if outcome.answer is not None:
            return {"statusCode": 202, "headers": _JSON, "body": json.dumps(outcome.answer)}
        body = {"error": {"code": outcome.code, "message": outcome.error}}
        status = _STATUS.get(outcome.code, 502)
        return {"statusCode": status, "headers": _JSON, "body": json.dumps(body)}


class LoadBalancer(HttpApi):
    """A rule of an Application Load Balancer."""

    kind = "load-balancer"

    def matches(self, event: Mapping[str, Any]) -> bool:
        """See `Source.matches`."""
        return "elb" in _requested(event)

    def route(self, event: Mapping[str, Any], listening: Listening) -> str:
        """See `HttpApi.route`."""
        # ...:targetgroup/NAME/ID: only the name is known before the group is made.
        arn = str(_requested(event)["elb"].get("targetGroupArn", ""))
        group = arn.partition(":targetgroup/")[2].partition("/")[0]
        return str(listening.sources.get(group, {}).get("name") or group)

    def number(self, event: Mapping[str, Any]) -> str:
        """See `HttpApi.number`."""
        return _header(event, "x-amzn-trace-id")

    def answer(self, outcomes: Sequence[Outcome]) -> dict[str, Any]:
        """See `HttpApi.answer`."""
        return {**super().answer(outcomes), "isBase64Encoded": False}


def _requested(event: Mapping[str, Any]) -> Mapping[str, Any]:
    found = event.get("requestContext")
    return found if isinstance(found, Mapping) else {}


def _header(event: Mapping[str, Any], name: str) -> str:
    headers: Mapping[str, str] = event.get("headers") or {}
    return next((value for key, value in headers.items() if key.lower() == name), "")
