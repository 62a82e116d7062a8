"""What this cloud serves at all: what is signed with a key of its own, and what a door lets in.

Every user of this machine can connect to the port, and every page in the developer's browser. So
each request is judged here before ministack looks at it. It is served if its signature is right
(`signatures`), or if one of `doors.DOORS` opens for it; all else is refused. The Host must be one
of this cloud's names: a page whose name is made to lead here has another. A page of another machine
gets in only with a signature, or through a door whose own CORS configuration decides about it.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Mapping
from typing import Any, Final

from ..asgi import App, answer
from ..corrections import apis
from ..host import ministack
from ..machines import running
from . import access, signatures
from .asked import Asked, Refused, check_form
from .doors import DOORS, HEALTH

_ADMINISTRATION: Final = ("/_ministack", "/_localstack", running.PATH)
"""ministack's own paths, and what tells of all that runs: for root alone."""


def served_by(app: App, root: access.Root) -> App:
    """The ASGI app behind the gate."""
    port = int(os.environ["GATEWAY_PORT"])

    async def gate(scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] not in ("http", "websocket"):
            await app(scope, receive, send)
            return
        asked = Asked(scope)
        try:
            check_form(asked, port)
            scope = apis.at_own_host(scope)
            asked = Asked(scope)
            receive = await _admitted(asked, receive, root)
        except Refused as error:
            await _refuse(asked, scope, receive, send, error)
        except (TypeError, ValueError):  # ministack's, where a part of a signature is none at all
            none = Refused("IncompleteSignature", "the signature is none of AWS's")
            await _refuse(asked, scope, receive, send, none)
        else:
            if receive is not None:
                await app(scope, receive, send)

    return gate


def with_health(app: App) -> App:
    """The ASGI app with the health check."""

    async def healthy(scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"] == HEALTH:
            await answer(send, 200, {"Content-Type": "application/json"}, b'{"status": "ok"}')
        else:
            await app(scope, receive, send)

    return healthy


async def _admitted(asked: Asked, receive: Any, root: access.Root) -> Any:
    """What the app shall receive the request from; None when its sender has gone.

    Raises:
        Refused: it is not served.
    """
    door = next((door for door in DOORS if door.opens(asked)), None)
    if door is not None:
        if asked.foreign and not door.cors:
            raise Refused("AccessDenied", f"{door.name}: not for a page of another machine")
        if door.reads is None:
            return receive
        body = await _body(receive)
        if body is None:
            return None
        door.reads(asked, body)
        return _again(body, receive)
    claimed = signatures.claimed(asked)  # whose body is of no interest is not read
    body = b"" if asked.socket else await _body(receive)
    if body is None:
        return None
    signatures.verify(asked, claimed, body)
    if asked.path.startswith(_ADMINISTRATION) and claimed.access_key_id != root.access_key:
        raise Refused("AccessDenied", f"{asked.path} is for root")
    return receive if asked.socket else _again(body, receive)


async def _body(receive: Any) -> bytes | None:
    """The whole body; None when its sender has gone."""
    chunks: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        chunks.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(chunks)


def _again(body: bytes, receive: Any) -> Any:
    """Receives what was read already, and then what follows."""
    read = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Any:
        return read.pop() if read else await receive()

    return replay


async def _refuse(
    asked: Asked, scope: Mapping[str, Any], receive: Any, send: Any, refused: Refused
) -> None:
    if asked.socket:
        await receive()
        if "websocket.http.response" not in (scope.get("extensions") or {}):
            await send({"type": "websocket.close", "code": 1008})
            return
        body = json.dumps({"message": refused.message}).encode()
        headers = {"Content-Type": "application/json"}
        await answer(send, 403, headers, body, "websocket.http.response")
        return
    await answer(send, *_in_its_protocol(asked, refused))


def _in_its_protocol(asked: Asked, refused: Refused) -> tuple[int, dict[str, str], bytes]:
    """The refusal as the service would say it, so that SDKs understand it."""
    app, actions = ministack("app"), ministack("core.iam_actions")
    service = app.detect_service(asked.method, asked.path, asked.headers, asked.query)
    status, headers, body = actions.access_denied_response(
        service,
        "",
        "",
        str(uuid.uuid4()),
        error_code=refused.code,
        message=refused.message,
        headers=asked.headers,
    )
    return status, dict(headers), body
