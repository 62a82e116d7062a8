"""The paths of the user's APIs and function URLs: each gets there, also those that ministack has.

ministack answers /health, /login, /oauth2/token, /_ministack/reset, ..., whatever the host is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from ..host import ministack

_PREFIX: Final = "/_devbridge/api"

App = Callable[[Mapping[str, Any], Any, Any], Any]


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

    here._parse_execute_api_url = lambda host, path: parse(host, path.removeprefix(_PREFIX))
    here._parse_lambda_url = lambda host, path: parse_url(host, path.removeprefix(_PREFIX))
    # A request is signed with the path that its sender knows.
    here.pin_signed_request = lambda method, path, *rest: pin(
        method, path.removeprefix(_PREFIX), *rest
    )
    return with_apis


def is_api(host: str) -> bool:
    """Whether the Host header is an API's."""
    return ministack("app")._EXECUTE_API_RE.match(host) is not None


def is_function_url(host: str) -> bool:
    """Whether the Host header is a function URL's."""
    return ministack("app")._LAMBDA_URL_RE.match(host) is not None


def _host(scope: Mapping[str, Any]) -> str:
    return str(dict(scope["headers"]).get(b"host", b"").decode("latin-1"))
