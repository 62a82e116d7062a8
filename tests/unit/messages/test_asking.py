"""Requests that start a job are sent over HTTP, and what is answered is told."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from devbridge.constructs import App
from devbridge.errors import CloudError
from devbridge.messages import kinds
from devbridge.messages.chosen import content
from devbridge.messages.sending import Sender, Sent
from devbridge.protocol.codec import job_id
from tests.unit.messages.apps import named, trigger
from tests.unit.messages.fakes import FakeCloud

RESOURCES = {"WebApi": "a1", "FrontLoadBalancerListener": "arn:listener"}


class Server(ThreadingHTTPServer):
    """Answers as it is told, and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.status, self.body = 202, b'{"jobId": "run-1"}'
        self.location = ""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        size = int(self.headers.get("content-length") or 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.asked.append((self.command, self.path, headers, self.rfile.read(size)))
        self.send_response(self.server.status)
        if self.server.location:
            self.send_header("location", self.server.location)
        self.send_header("content-length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    do_GET = do_PUT = do_POST  # noqa: N815

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def there(server: Server) -> FakeCloud:
    made = FakeCloud()
    made.apigatewayv2.url = f"http://127.0.0.1:{server.server_port}"
    made.elbv2.host, made.elbv2.port = "127.0.0.1", server.server_port
    return made


def send(there: FakeCloud, app: App, name: str, token: str | None = None) -> Sent:
    one = trigger(app, "seen", name)
    sender = Sender(there, named(app, "seen"), "ann", RESOURCES, live=True)  # type: ignore[arg-type]
    return kinds.send(sender, one, content(one, None, None, token=token))


def test_a_request_goes_to_its_route_and_the_run_is_told(
    there: FakeCloud, server: Server, unqueued: App
) -> None:
    sent = send(there, unqueued, "asked")
    ((method, path, headers, body),) = server.asked
    assert (method, path, json.loads(body)) == (
        "POST",
        "/see/example",
        {"example": "of devbridge trigger"},
    )
    assert (sent.run, sent.id) == ("run-1", headers["idempotency-key"])
    assert sent.to == "POST /see/example of api web"
    assert "authorization" not in headers


def test_a_token_is_shown_to_the_authorizer(
    there: FakeCloud, server: Server, unqueued: App
) -> None:
    for token in ("abc", "Basic abc"):
        send(there, unqueued, "asked", token)
    told = [headers["authorization"] for _, _, headers, _ in server.asked]
    assert told == ["Bearer abc", "Basic abc"]


def test_a_request_without_a_body_has_none_and_its_run_is_known_all_the_same(
    there: FakeCloud, server: Server, unqueued: App
) -> None:
    server.body = b""
    sent = send(there, unqueued, "looked")
    assert (server.asked[0][0], server.asked[0][3]) == ("GET", b"")
    assert sent.run == job_id("shop", "ann", "seen", f"looked/{sent.id}")


def test_a_load_balancer_is_sent_what_its_rule_matches(
    there: FakeCloud, server: Server, unqueued: App
) -> None:
    sent = send(there, unqueued, "front-1")
    ((method, path, headers, _),) = server.asked
    assert (method, path) == ("PUT", "/img/example")
    assert (headers["x-kind"], headers["host"]) == ("aexample", "example.example.com")
    assert (sent.kind, sent.run) == ("load-balancer", "run-1")


def test_the_embedded_cloud_has_its_load_balancers_at_its_own_port(
    there: FakeCloud, server: Server, unqueued: App
) -> None:
    there.endpoint_url = there.apigatewayv2.url
    front = trigger(unqueued, "seen", "front-1")
    sender = Sender(there, named(unqueued, "seen"), "ann", RESOURCES, live=True)  # type: ignore[arg-type]
    for hosts in ((), ("*",)):
        one = dataclasses.replace(front, hosts=hosts)  # type: ignore[call-arg]
        kinds.send(sender, one, content(one, None, None))
    assert [path for _, path, _, _ in server.asked] == ["/_alb/front/img/example"] * 2
    assert {headers["host"] for _, _, headers, _ in server.asked} == {
        f"127.0.0.1:{server.server_port}"
    }


def test_that_the_embedded_cloud_has_none_of_a_rules_hosts_is_said(
    there: FakeCloud, server: Server, unqueued: App
) -> None:
    there.endpoint_url = there.apigatewayv2.url
    with pytest.raises(CloudError, match=r"is for \*.example.com, and the embedded cloud has no"):
        send(there, unqueued, "front-1")
    assert server.asked == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_the_token_goes_nowhere_else_and_no_other_answer_counts(
    there: FakeCloud, server: Server, unqueued: App, status: int
) -> None:
    with Server() as other:
        thread = threading.Thread(target=other.serve_forever, args=(0.01,))
        thread.start()
        server.status, server.location = status, f"http://127.0.0.1:{other.server_port}/in"
        with pytest.raises(CloudError, match=f"answered with {status}: it is at") as caught:
            send(there, unqueued, "asked", "secret")
        with pytest.raises(CloudError, match=f"answered with {status}"):
            send(there, unqueued, "looked", "secret")
        other.shutdown()
        thread.join()
    assert other.asked == []
    assert server.location in str(caught.value)
    assert "nothing was sent there, nor the token" in str(caught.value.remedy)


def test_only_202_says_that_a_run_was_started(
    there: FakeCloud, server: Server, unqueued: App
) -> None:
    server.status = 200
    with pytest.raises(CloudError, match="answered with 200"):
        send(there, unqueued, "asked")


@pytest.mark.parametrize(("status", "remedy"), [(401, "--token TOKEN"), (404, "devbridge logs")])
def test_what_is_not_accepted_is_an_error_with_what_was_said(
    there: FakeCloud, server: Server, unqueued: App, status: int, remedy: str
) -> None:
    server.status, server.body = status, b'{"message": "no"}'
    with pytest.raises(CloudError, match=f'answered with {status}: {{"message": "no"}}') as caught:
        send(there, unqueued, "asked")
    assert remedy in str(caught.value.remedy)


def test_where_nothing_answers_it_is_an_error(there: FakeCloud, unqueued: App) -> None:
    there.apigatewayv2.url = "http://127.0.0.1:9"
    with pytest.raises(CloudError, match="nothing answers"):
        send(there, unqueued, "asked")
