"""What ministack listens on besides its own port: on loopback alone, and for nobody else."""

from __future__ import annotations

import asyncio
import hmac
import http.server
import secrets
from typing import Any

from ..host import ministack


def stay_on_loopback() -> None:
    """Some of its services would listen on all interfaces."""
    create = asyncio.BaseEventLoop.create_server

    async def create_server(loop: Any, factory: Any, *place: Any, **options: Any) -> Any:
        if options.get("sock") is not None:
            return await create(loop, factory, *place, **options)
        host_and_more = ("127.0.0.1", *place[1:])
        options.pop("host", None)
        return await create(loop, factory, *host_and_more, **options)

    asyncio.BaseEventLoop.create_server = create_server  # type: ignore[method-assign,assignment]


def hide_runtime_apis() -> None:
    """The Lambda Runtime API of custom runtimes, which ministack gives to anybody who connects: it
    is below a path that only the function is told."""
    lambdas, token = ministack("services.lambda_svc"), secrets.token_urlsafe(32)
    environment = lambdas._provided_worker_env
    handler = http.server.BaseHTTPRequestHandler  # nothing else in this process has one
    parse = handler.parse_request

    def with_token(*arguments: Any) -> Any:
        made = environment(*arguments)
        return {**made, "AWS_LAMBDA_RUNTIME_API": f"{made['AWS_LAMBDA_RUNTIME_API']}/{token}"}

    def parse_request(self: Any) -> bool:
        if not parse(self):
            return False
        given = self.path[1:].partition("/")[0].encode()
        if hmac.compare_digest(given, token.encode()):
            return True
        self.close_connection = True
        self.send_error(403)
        return False

    lambdas._provided_worker_env = with_token
    handler.parse_request = parse_request  # type: ignore[method-assign]
