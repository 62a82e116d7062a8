"""The task metadata endpoint, version 4: what a container may know of itself and its task."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final

from ..asgi import App, answer_json

PATH: Final = "/_devbridge/v4/"
"""What a container's token follows, and that ``/task``."""

Json = dict[str, Any]


class Register:
    """The containers that run, by their tokens."""

    def __init__(self) -> None:
        self._known: dict[str, Mapping[str, Callable[[], Json]]] = {}
        """By token, and by what may follow that: what makes the document."""

    def add(
        self, container: Callable[[], Json], task: Callable[[], Json]
    ) -> tuple[str, Callable[[], object]]:
        """Answer with these documents: the path for it, and what ends that."""
        token = secrets.token_urlsafe(32)
        self._known[token] = {"": container, "task": task, "stats": dict, "task/stats": dict}
        return f"{PATH}{token}", lambda: self._known.pop(token, None)

    def answer(self, path: str) -> Json | None:
        """The document at a path; None if there is none."""
        token, _, rest = path.removeprefix(PATH).rstrip("/").partition("/")
        document = self._known.get(token, {}).get(rest)
        return document() if document else None


def of_log(log: tuple[str, str] | None, region: str) -> Json:
    """What a container's document has of its log: group and stream."""
    if log is None:
        return {}
    names = {"awslogs-group": log[0], "awslogs-region": region, "awslogs-stream": log[1]}
    return {"LogDriver": "awslogs", "LogOptions": names}


def served_by(app: App, register: Register) -> App:
    """The ASGI app with the endpoint in front."""

    async def with_metadata(scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PATH):
            await app(scope, receive, send)
            return
        found = register.answer(scope["path"])
        if found is None:
            await answer_json(send, 404, {"message": "not found"})
        else:
            await answer_json(send, 200, found)

    return with_metadata
