"""The task metadata endpoint, version 4: what a container may know of itself and its task."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final

PATH: Final = "/_devbridge/v4/"
"""What a container's token follows, and that ``/task``."""

Json = dict[str, Any]
App = Callable[[Mapping[str, Any], Any, Any], Any]


class Register:
    """The containers that run, by their tokens."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Callable[[], Json], Callable[[], Json]]] = {}

    def add(
        self, container: Callable[[], Json], task: Callable[[], Json]
    ) -> tuple[str, Callable[[], object]]:
        """Answer with these documents: the path for it, and what ends that."""
        token = secrets.token_urlsafe(32)
        self._known[token] = (container, task)
        return f"{PATH}{token}", lambda: self._known.pop(token, None)

    def answer(self, path: str) -> Json | None:
        """The document at a path; None if there is none."""
        token, _, rest = path.removeprefix(PATH).rstrip("/").partition("/")
        known = self._known.get(token)
        if known is None:
            return None
        if rest in ("stats", "task/stats"):
            return {}
        return known[("", "task").index(rest)]() if rest in ("", "task") else None


def served_by(app: App, register: Register) -> App:
    """The ASGI app with the endpoint in front."""

    async def with_metadata(scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PATH):
            await app(scope, receive, send)
            return
        found = register.answer(scope["path"])
        body = json.dumps({"message": "not found"} if found is None else found).encode()
        start = {
            "type": "http.response.start",
            "status": 404 if found is None else 200,
            "headers": [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
            ],
        }
        await send(start)
        await send({"type": "http.response.body", "body": body})

    return with_metadata
