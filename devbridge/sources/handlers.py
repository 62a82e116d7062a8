"""Handler paths: their syntax, and why one does not exist. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_HANDLER = re.compile(r"(?P<module>(?:[\w-]+/)*[\w-]+)\.(?P<function>[A-Za-z_]\w*)", re.ASCII)
HANDLER_ALLOWED: Final = (
    "'folder/file.function' relative to the app's folder, without the file's suffix, e.g."
    " 'jobs/report.handler'"
)


@dataclass(frozen=True, slots=True)
class Handler:
    """A handler path, taken apart."""

    module: str
    """``jobs/factorial``"""
    function: str

    def __str__(self) -> str:
        return f"{self.module}.{self.function}"


@dataclass(frozen=True, slots=True)
class Missing:
    """Why a handler does not exist, and what does."""

    what: str
    allowed: str


def parse_handler(value: object) -> Handler | None:
    """A handler path, or None if it is not one."""
    match = _HANDLER.fullmatch(value) if isinstance(value, str) else None
    return Handler(match["module"], match["function"]) if match else None
