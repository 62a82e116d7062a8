"""Sends requests over HTTP, to a route or a load balancer, as whoever calls them does."""

from __future__ import annotations

import dataclasses
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from devbridge import names
from devbridge.constructs import LoadBalancer, OnLoadBalancer, OnRequest
from devbridge.errors import CloudError
from devbridge.messages.samples import Sample, asked, path_of
from devbridge.messages.sending import Sender, Sent

_SECONDS: Final = 35
"""API Gateway answers within 30."""
_WITHOUT_BODY: Final = ("GET", "HEAD")
_LOCAL: Final = ("127.0.0.1", "localhost")
_NOT_LET_IN: Final = (401, 403)


def request(sender: Sender, sample: Sample) -> Sent:
    """Send a request to the route.

    Raises:
        CloudError: it was not answered with 202.
    """
    trigger = sample.trigger
    assert isinstance(trigger, OnRequest)  # noqa: S101
    gateway = sender.cloud.client("apigatewayv2")
    base = gateway.get_api(ApiId=sender.at(names.logical(trigger.api)))["ApiEndpoint"]
    return _ask(sender, sample, f"api {trigger.api.name}", base, {})


def load_balancer(sender: Sender, sample: Sample) -> Sent:
    """Send a request that the rule of the load balancer matches.

    Raises:
        CloudError: it was not answered with 202, or nothing there can be reached from here.
    """
    trigger = sample.trigger
    assert isinstance(trigger, OnLoadBalancer)  # noqa: S101
    headers = {name: path_of(values[0]) for name, values in trigger.headers.items()}
    if trigger.hosts:
        headers["Host"] = path_of(trigger.hosts[0])
    base = _listener(sender, trigger.balancer)
    return _ask(sender, sample, f"load balancer {trigger.balancer.name}", base, headers)


def _listener(sender: Sender, balancer: LoadBalancer) -> str:
    """The URL that a load balancer listens at."""
    elb = sender.cloud.client("elbv2")
    arn = balancer.known.get("listener_arn") or sender.at(names.logical(balancer, "Listener"))
    (listener,) = elb.describe_listeners(ListenerArns=[arn])["Listeners"]
    (found,) = elb.describe_load_balancers(LoadBalancerArns=[listener["LoadBalancerArn"]])[
        "LoadBalancers"
    ]
    if sender.cloud.endpoint_url:  # its own names are of no DNS
        return f"{sender.cloud.endpoint_url}/_alb/{found['LoadBalancerName']}"
    return f"{listener['Protocol'].lower()}://{found['DNSName']}:{listener['Port']}"


def _ask(sender: Sender, sample: Sample, to: str, base: str, headers: Mapping[str, str]) -> Sent:
    method, path = asked(sample.trigger)
    url, token = f"{base.rstrip('/')}{path}", sample.content.token
    given = {"Content-Type": "application/json", "Idempotency-Key": sample.number, **headers}
    if token:
        given["Authorization"] = token if " " in token else f"Bearer {token}"
    data = None if method in _WITHOUT_BODY else sample.content.body.encode()
    status, body = _answer(
        urllib.request.Request(url, data, given, method=method)  # noqa: S310 - of our own stage
    )
    if status != 202:
        raise _refused(sample, f"{method} {url}", status, body)
    sent = sender.sent(
        sample, "request", (f"{method} {path} of {to}", url), sample.number, sure=True
    )
    return dataclasses.replace(sent, run=_run(body) or sent.run)


def _answer(asked: urllib.request.Request) -> tuple[int, bytes]:
    """
    Raises:
        CloudError: there is none.
    """
    host = urlsplit(asked.full_url).hostname
    proxies = [urllib.request.ProxyHandler({})] if host in _LOCAL else []
    try:
        with urllib.request.build_opener(*proxies).open(asked, timeout=_SECONDS) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()
    except OSError as error:
        reason = getattr(error, "reason", error)
        raise CloudError(
            f"nothing answers: {reason}",
            where=f"{asked.get_method()} {asked.full_url}",
            remedy="a load balancer that is internal is reached from its network only",
        ) from error


def _refused(sample: Sample, asked: str, status: int, body: bytes) -> CloudError:
    said = " ".join(body.decode("utf-8", "replace").split())[:300]
    if status in _NOT_LET_IN:
        remedy = "give what its authorizer lets in: --token TOKEN"
    else:
        remedy = "see devbridge logs, or what its invoker is called with: --print"
    return CloudError(
        f"{sample.trigger} is answered with {status}" + (f": {said}" if said else ""),
        where=asked,
        remedy=remedy,
    )


def _run(body: bytes) -> str:
    try:
        found: Any = json.loads(body)
    except ValueError:
        return ""
    return str(found.get("jobId") or "") if isinstance(found, Mapping) else ""
