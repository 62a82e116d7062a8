"""The paths of the user's APIs: each reaches the API, also those that ministack has itself.

ministack answers /health, /login, /oauth2/token, /v2/..., whatever the host is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from .host import ministack

_PREFIX: Final = "/_devbridge/api"

App = Callable[[Mapping[str, Any], Any, Any], Any]


def served_by(app: App) -> App:
    """The ASGI app with requests to APIs at paths where it has nothing else."""
    here = ministack("app")
    parse, pin = here._parse_execute_api_url, here.pin_signed_request

    async def with_apis(scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http" and here._EXECUTE_API_RE.match(_host(scope)):
            raw_path = _PREFIX.encode() + scope.get("raw_path", scope["path"].encode())
            scope = {**scope, "path": _PREFIX + scope["path"], "raw_path": raw_path}
        await app(scope, receive, send)

    here._parse_execute_api_url = lambda host, path: parse(host, path.removeprefix(_PREFIX))
    # A request is signed with the path that its sender knows.
    here.pin_signed_request = lambda method, path, *rest: pin(
        method, path.removeprefix(_PREFIX), *rest
    )
    return with_apis


def _host(scope: Mapping[str, Any]) -> str:
    return str(dict(scope["headers"]).get(b"host", b"").decode("latin-1"))
