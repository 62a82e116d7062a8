"""Apps in front of ministack's, and whole answers of their own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

App = Callable[[Mapping[str, Any], Any, Any], Any]
"""An ASGI app: scope, receive, send."""


async def answer(
    send: Any, status: int, headers: Mapping[str, str], body: bytes, kind: str = "http.response"
) -> None:
    """Send a whole ASGI response, with the length of `body`."""
    raw = [(name.encode(), str(value).encode()) for name, value in headers.items()]
    raw = [each for each in raw if each[0].lower() != b"content-length"]
    raw.append((b"content-length", str(len(body)).encode()))
    await send({"type": f"{kind}.start", "status": status, "headers": raw})
    await send({"type": f"{kind}.body", "body": body})


async def answer_json(send: Any, status: int, content: Any) -> None:
    """Send a document."""
    headers = {"content-type": "application/json"}
    await answer(send, status, headers, json.dumps(content).encode())
