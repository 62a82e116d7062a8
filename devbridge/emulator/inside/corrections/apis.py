"""The addresses of the user's APIs and function URLs: each gets there, also at ministack's paths.

ministack answers /health, /login, /oauth2/token, /_ministack/reset, ..., whatever the host is.

An API has a host of its own, as on AWS, and beside that a URL that every client can resolve:
``http://127.0.0.1:PORT/API-ID``. Names below ``localhost`` lead nowhere on macOS, nor with musl,
but in browsers and curl.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Final
from urllib.parse import urlsplit

from ..asgi import App
from ..host import ministack

_PREFIX: Final = "/_devbridge/api"
_BASE_PATH: Final = re.compile(r"/([a-f0-9]{8})(?![^/])")
_CONNECTIONS: Final = "/@connections/"
_PLAIN: Final = ("127.0.0.1", "localhost")

_sent: ContextVar[tuple[str, Any] | None] = ContextVar("sent", default=None)
"""The path and the headers of a request that was moved to its API's own host, as they came."""


def served_by(app: App) -> App:
    """The ASGI app with requests to them at paths where it has nothing else."""
    here = ministack("app")
    parse, pin = here._parse_execute_api_url, here.pin_signed_request
    parse_url = here._parse_lambda_url

    async def with_apis(scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http" and (is_api(_host(scope)) or is_function_url(_host(scope))):
            raw_path = _PREFIX.encode() + scope.get("raw_path", scope["path"].encode())
            scope = {**scope, "path": _PREFIX + scope["path"], "raw_path": raw_path}
        await app(scope, receive, send)

    def pin_as_sent(method: str, path: str, query: Any, headers: Any) -> None:
        # A request is signed with the host and the path that its sender knows.
        path, headers = _sent.get() or (path.removeprefix(_PREFIX), headers)
        pin(method, path, query, headers)

    here._parse_execute_api_url = lambda host, path: parse(host, path.removeprefix(_PREFIX))
    here._parse_lambda_url = lambda host, path: parse_url(host, path.removeprefix(_PREFIX))
    here.pin_signed_request = pin_as_sent
    return with_apis


def at_own_host(scope: Mapping[str, Any]) -> Mapping[str, Any]:
    """A request to an API's base path, as one to the API's own host; any other as it is.

    The management of an API's connections has the own host alone.
    """
    _sent.set(None)
    raw_path = scope.get("raw_path", scope["path"].encode()).decode("latin-1")
    name, _, port = _host(scope).partition(":")
    found = _BASE_PATH.match(raw_path)
    if not found or name.lower() not in _PLAIN or _CONNECTIONS in scope["path"]:
        return scope
    if not _is_there(found[1]):
        return scope
    host = f"{found[1]}.execute-api.{ministack('app')._MINISTACK_HOST}:{port}".encode()
    _sent.set((raw_path, scope["headers"]))
    return {
        **scope,
        "path": scope["path"].removeprefix(found[0]) or "/",
        "raw_path": raw_path.removeprefix(found[0]).encode("latin-1") or b"/",
        "headers": [(each, host if each == b"host" else value) for each, value in scope["headers"]],
    }


def give_base_paths(provisioners: Any) -> None:
    """Have CloudFormation say the URL that every client can resolve."""
    handlers = provisioners._RESOURCE_HANDLERS["AWS::ApiGatewayV2::Api"]
    create = handlers["create"]

    def created(title: str, properties: Mapping[str, Any], stack: str) -> Any:
        api_id, attributes = create(title, properties, stack)
        own = urlsplit(attributes["ApiEndpoint"])
        url = f"{own.scheme}://127.0.0.1:{own.port}/{api_id}"
        provisioners._apigw_v2._apis[api_id]["apiEndpoint"] = url
        return api_id, {**attributes, "ApiEndpoint": url}

    handlers["create"] = created


def is_api(host: str) -> bool:
    """Whether the Host header is an API's."""
    return ministack("app")._EXECUTE_API_RE.match(host) is not None


def is_function_url(host: str) -> bool:
    """Whether the Host header is a function URL's."""
    return ministack("app")._LAMBDA_URL_RE.match(host) is not None


def _is_there(api_id: str) -> bool:
    get = ministack("app")._get_module
    return any(get(name).find_api_scope(api_id) for name in ("apigateway", "apigateway_v1"))


def _host(scope: Mapping[str, Any]) -> str:
    return str(dict(scope["headers"]).get(b"host", b"").decode("latin-1"))
