"""Sends requests over HTTP, to a route or a load balancer, as whoever calls them does."""

from __future__ import annotations

import dataclasses
import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
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


class _Stays(urllib.request.HTTPRedirectHandler):
    """Goes nowhere else: the token is for who was asked, and 202 from another place is no run of
    the job."""

    def redirect_request(self, *_: Any) -> None:
        """A redirection is an answer like others."""


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes
    location: str
    """Where it says that it is to be asked instead."""


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
        headers |= _host(sender, sample, trigger.hosts)
    base = _listener(sender, trigger.balancer)
    return _ask(sender, sample, f"load balancer {trigger.balancer.name}", base, headers)


def _host(sender: Sender, sample: Sample, hosts: Sequence[str]) -> dict[str, str]:
    """The header by which the load balancer takes a request for one of these hosts.

    Raises:
        CloudError: the embedded cloud lets no request in whose Host is another's, lest a page in a
            browser reaches it by a name of its own.
    """
    if not (here := sender.cloud.endpoint_url):
        return {"Host": path_of(hosts[0])}
    if any(fnmatchcase(urlsplit(here).hostname or "", each) for each in hosts):
        return {}
    raise CloudError(
        f"{sample.trigger} is for {', '.join(hosts)}, and the embedded cloud has no such host",
        where=f"its load balancers answer as {urlsplit(here).hostname} only",
        remedy="leave hosts= out on this stage, or see what the invoker would get: --print",
    )


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
    answer = _answer(
        urllib.request.Request(url, data, given, method=method)  # noqa: S310 - of our own stage
    )
    if answer.status != 202:
        raise _refused(sample, f"{method} {url}", answer)
    sent = sender.sent(
        sample, "request", (f"{method} {path} of {to}", url), sample.number, sure=True
    )
    return dataclasses.replace(sent, run=_run(answer.body) or sent.run)


def _answer(asked: urllib.request.Request) -> _Answer:
    """
    Raises:
        CloudError: there is none.
    """
    host = urlsplit(asked.full_url).hostname
    proxies = [urllib.request.ProxyHandler({})] if host in _LOCAL else []
    opener = urllib.request.build_opener(_Stays, *proxies)
    try:
        with opener.open(asked, timeout=_SECONDS) as response:
            return _Answer(response.status, response.read(), "")
    except urllib.error.HTTPError as error:
        with error:
            return _Answer(error.code, error.read(), error.headers.get("Location", ""))
    except OSError as error:
        reason = getattr(error, "reason", error)
        raise CloudError(
            f"nothing answers: {reason}",
            where=f"{asked.get_method()} {asked.full_url}",
            remedy="a load balancer that is internal is reached from its network only",
        ) from error


def _refused(sample: Sample, asked: str, answer: _Answer) -> CloudError:
    said = " ".join(answer.body.decode("utf-8", "replace").split())[:300]
    if answer.location:
        said = f"it is at {answer.location[:300]}"
        remedy = "nothing was sent there, nor the token: mend what redirects requests of this rule"
    elif answer.status in _NOT_LET_IN:
        remedy = "give what its authorizer lets in: --token TOKEN, or @FILE"
    else:
        remedy = "see devbridge logs, or what its invoker is called with: --print"
    return CloudError(
        f"{sample.trigger} is answered with {answer.status}" + (f": {said}" if said else ""),
        where=asked,
        remedy=remedy,
    )


def _run(body: bytes) -> str:
    try:
        found: Any = json.loads(body)
    except ValueError:
        return ""
    return str(found.get("jobId") or "") if isinstance(found, Mapping) else ""
