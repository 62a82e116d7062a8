"""APIs on the embedded cloud: routes, payload format 2.0, authorizers."""

from __future__ import annotations

import http.client
import json
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from devbridge import deploy as deployment
from devbridge.cloud.session import Cloud
from devbridge.constructs.load import load_app
from devbridge.deploy import Request

APP = """\
from devbridge import Api, App, JwtAuthorizer, LambdaAuthorizer, RouteTo

app = App("apis")
Api(
    app,
    "api",
    routes={
        "GET /things/{id}": RouteTo("api/echo.handler", authorizer="none"),
        "POST /things": RouteTo("api/echo.handler", authorizer="none"),
        "GET /gated": RouteTo("api/echo.handler", authorizer="gate"),
        "GET /private": "api/echo.handler",
        "$default": RouteTo("api/echo.handler", authorizer="none"),
    },
    authorizers={
        "gate": LambdaAuthorizer("api/gate.handler"),
        "login": JwtAuthorizer("ISSUER", audience=["shop"]),
    },
    authorizer="login",
)
"""
ECHO = """\
import json


def handler(event, context):
    wanted = ("version", "routeKey", "rawPath", "rawQueryString", "pathParameters", "body")
    found = {key: event.get(key) for key in wanted}
    context = event["requestContext"]
    found["authorizer"] = context.get("authorizer")
    found["path"], found["stage"] = context["http"]["path"], context["stage"]
    found["hosts"] = [context["domainName"], event["headers"]["host"]]
    return {"statusCode": 200, "body": json.dumps(found)}
"""
GATE = """\
def handler(event, context):
    who = event["headers"].get("authorization")
    return {"isAuthorized": who == "let me in", "context": {"who": "me"}}
"""


@pytest.fixture(scope="module")
def key() -> RSAKey:
    return RSAKey.generate_key(2048, parameters={"kid": "one", "use": "sig", "alg": "RS256"})


@pytest.fixture(scope="module")
def issuer(key: RSAKey) -> Iterator[str]:
    """An OpenID Connect provider, as far as an authorizer asks it."""

    class Provider(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            jwks = {"keys": [key.as_dict(private=False)]}
            about = {"issuer": url, "jwks_uri": f"{url}/.well-known/jwks.json"}
            body = json.dumps(jwks if self.path.endswith("jwks.json") else about).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield url
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def url(tmp_path: Path, local_cloud: Cloud, issuer: str) -> str:
    root = tmp_path / "app"
    (root / "api").mkdir(parents=True)
    (root / "app.py").write_text(APP.replace("ISSUER", issuer))
    (root / "api" / "echo.py").write_text(ECHO)
    (root / "api" / "gate.py").write_text(GATE)
    done = deployment.deploy(Request(load_app(root), local_cloud, stage="test", mode="deployed"))
    return done.outputs["ApiUrl"]


def call(
    url: str, route: str, authorization: str | None = None, body: str | None = None
) -> tuple[int, Any]:
    parts, (method, path) = urlsplit(url), route.split(" ")
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    headers = {"Content-Type": "text/plain"}
    if authorization is not None:
        headers["Authorization"] = authorization
    connection.request(method, parts.path + path, body.encode() if body else None, headers)
    response = connection.getresponse()
    answer = json.loads(response.read() or b"null")
    connection.close()
    return response.status, answer


def test_an_open_route_gets_the_request_in_payload_format_2(url: str) -> None:
    status, event = call(url, "GET /things/a%20b?x=1&x=2")
    assert (status, event["version"], event["routeKey"]) == (200, "2.0", "GET /things/{id}")
    assert (event["pathParameters"], event["rawQueryString"]) == ({"id": "a b"}, "x=1&x=2")
    assert call(url, "POST /things", body="ü")[1]["body"] == "ü"


def test_every_client_reaches_it_by_its_url_and_the_handler_gets_what_aws_sends(url: str) -> None:
    parts = urlsplit(url)
    assert (parts.hostname, parts.path[0]) == ("127.0.0.1", "/")
    api_id = parts.path[1:]
    own = f"{api_id}.execute-api.localhost"
    address = f"{url}/a%20b//c?x=1"
    with urllib.request.urlopen(address) as answer:  # noqa: S310
        by_python = json.load(answer)
    curl = ["curl", "-s", "--noproxy", "*"]
    by_curl = json.loads(subprocess.check_output([*curl, address]))
    name = ["--resolve", f"{own}:{parts.port}:127.0.0.1", f"http://{own}:{parts.port}/a%20b//c?x=1"]
    by_name = json.loads(subprocess.check_output([*curl, *name]))
    assert by_python == by_curl == by_name
    assert by_name["hosts"] == [own, f"{own}:{parts.port}"]
    assert (by_name["rawPath"], by_name["path"], by_name["stage"]) == (
        *("/a b//c", "/a b//c", "$default"),
    )
    assert by_name["rawQueryString"] == "x=1"
    for root in (url, f"{url}/"):
        with urllib.request.urlopen(root) as answer:  # noqa: S310
            assert json.load(answer)["rawPath"] == "/"


@pytest.mark.parametrize(
    "route",
    [
        "GET /health",
        "POST /login",
        "POST /oauth2/token",
        "GET /logout",
        "GET /v2/a/tags/list",
        "GET /iceberg",
        "GET /_ministack/health",
        "GET /_devbridge/credentials",
    ],
)
def test_a_path_that_the_embedded_cloud_has_itself_is_the_apis(url: str, route: str) -> None:
    status, event = call(url, route)
    assert (status, event["rawPath"]) == (200, route.partition(" ")[2])


def test_a_lambda_authorizer_decides_and_tells_the_handler_who_it_is(url: str) -> None:
    assert call(url, "GET /gated")[0] == 401
    assert call(url, "GET /gated", "let them in")[0] == 403
    status, event = call(url, "GET /gated", "let me in")
    assert (status, event["authorizer"]["lambda"]) == (200, {"who": "me"})


def test_a_jwt_authorizer_admits_a_token_of_its_issuer_for_its_audience(
    url: str, key: RSAKey, issuer: str
) -> None:
    def token(**changed: Any) -> str:
        claims = {"iss": issuer, "aud": "shop", "sub": "ann", "exp": int(time.time()) + 60}
        return "Bearer " + jwt.encode({"alg": "RS256", "kid": "one"}, {**claims, **changed}, key)

    assert call(url, "GET /private")[0] == 401
    assert call(url, "GET /private", "Bearer nonsense")[0] == 401
    assert call(url, "GET /private", token(aud="other"))[0] in (401, 403)
    assert call(url, "GET /private", token(exp=int(time.time()) - 600))[0] == 401
    status, event = call(url, "GET /private", token())
    assert (status, event["authorizer"]["jwt"]["claims"]["sub"]) == (200, "ann")
