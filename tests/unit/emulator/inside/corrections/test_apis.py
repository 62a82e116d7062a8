from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest

from devbridge.emulator.inside.corrections import apis
from tests.unit.emulator.inside.conftest import MakeModule

OWN = "a1b2c3d4.execute-api.localhost:4566"


@pytest.fixture(autouse=True)
def app(ministack: MakeModule) -> Any:
    """ministack's app, with one API; `pinned` is what it takes for signed."""
    pinned: list[Any] = []
    nothing = SimpleNamespace(find_api_scope=lambda _: None)
    one = SimpleNamespace(find_api_scope=lambda api_id: api_id == "a1b2c3d4" or None)
    return ministack(
        "app",
        _MINISTACK_HOST="localhost",
        _EXECUTE_API_RE=re.compile(r"[a-f0-9]{8}\.execute-api\.localhost"),
        _LAMBDA_URL_RE=re.compile(r"[a-z0-9]{32}\.lambda-url\."),
        _get_module={"apigateway": one, "apigateway_v1": nothing}.__getitem__,
        _parse_execute_api_url=lambda host, path: (host, path),
        _parse_lambda_url=lambda host, path: (host, path),
        pin_signed_request=lambda *arguments: pinned.append(arguments),
        pinned=pinned,
    )


def scope(path: str, host: str = "127.0.0.1:4566", kind: str = "http") -> dict[str, Any]:
    headers = [(b"host", host.encode()), (b"x", b"y")]
    return {"type": kind, "path": path, "raw_path": path.encode(), "headers": headers}


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize("host", ["127.0.0.1:4566", "localhost:4566", "LOCALHOST:4566"])
@pytest.mark.parametrize(
    ("path", "of_api"),
    [("/a1b2c3d4", "/"), ("/a1b2c3d4/", "/"), ("/a1b2c3d4/x", "/x"), ("/a1b2c3d4//x", "//x")],
)
def test_a_base_path_leads_to_the_apis_own_host(
    path: str, of_api: str, host: str, kind: str
) -> None:
    made = apis.at_own_host(scope(path, host, kind))
    assert (made["path"], made["raw_path"]) == (of_api, of_api.encode())
    assert made["headers"] == [(b"host", OWN.encode()), (b"x", b"y")]


@pytest.mark.parametrize(
    ("path", "host"),
    [
        ("/a1b2c3d5/x", "127.0.0.1:4566"),
        ("/a1b2c3d45/x", "127.0.0.1:4566"),
        ("//a1b2c3d4/x", "127.0.0.1:4566"),
        ("/A1B2C3D4/x", "127.0.0.1:4566"),
        ("/", "127.0.0.1:4566"),
        ("/a1b2c3d4/live/@connections/x", "127.0.0.1:4566"),
        ("/a1b2c3d4/x", OWN),
        ("/a1b2c3d4/x", "bucket.localhost:4566"),
        ("/a1b2c3d4/x", "evil.example:4566"),
    ],
)
def test_all_else_stays_as_it_is(path: str, host: str) -> None:
    asked = scope(path, host)
    assert apis.at_own_host(asked) is asked


def test_an_escaped_id_is_none() -> None:
    asked = {**scope("/a1b2c3d4/x"), "raw_path": b"/%611b2c3d4/x"}
    assert apis.at_own_host(asked) is asked


async def test_a_request_is_signed_as_its_sender_has_sent_it(app: Any) -> None:
    served: list[Any] = []

    async def take(*arguments: Any) -> None:
        served.append(arguments[0])

    serve = apis.served_by(take)
    for asked, path in ((scope("/a1b2c3d4/x"), "/a1b2c3d4/x"), (scope("/x", OWN), "/x")):
        await serve(apis.at_own_host(asked), None, None)
        assert served[-1]["path"] == "/_devbridge/api/x"
        app.pin_signed_request("GET", "/_devbridge/api/x", {}, served[-1]["headers"])
        assert app.pinned[-1] == ("GET", path, {}, asked["headers"])


def test_cloudformation_says_the_url_that_every_client_can_resolve() -> None:
    made = {"a1b2c3d4": {"apiEndpoint": f"http://{OWN}"}}
    answer = "a1b2c3d4", {"ApiId": "a1b2c3d4", "ApiEndpoint": f"http://{OWN}"}
    handlers = {"create": lambda *_: answer}
    provisioners = SimpleNamespace(
        _RESOURCE_HANDLERS={"AWS::ApiGatewayV2::Api": handlers},
        _apigw_v2=SimpleNamespace(_apis=made),
    )
    apis.give_base_paths(provisioners)
    url = "http://127.0.0.1:4566/a1b2c3d4"
    assert handlers["create"]("Api", {}, "stack") == (
        *("a1b2c3d4", {"ApiId": "a1b2c3d4", "ApiEndpoint": url}),
    )
    assert made["a1b2c3d4"]["apiEndpoint"] == url
