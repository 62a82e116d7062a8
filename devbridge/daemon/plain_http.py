"""HTTP/1.1 in the one form in which devbridge's own runners write it. Pure.

A call of a live function is two requests and two answers of that form: h11, which reads whatever
HTTP there is, takes a fifth of the daemon's time for them. What differs in a single byte is h11's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

_HEAD: Final = re.compile(
    rb"(GET|POST) (/[!-~]*) HTTP/1\.1\r\nHost: ([!-~]+)\r\n"
    rb"(?:Content-Type: application/json\r\nContent-Length: (0|[1-9][0-9]{0,8})\r\n)?\r\n"
)
_VALUE: Final = re.compile(r"[ -~]*")
_OF_BODY: Final = ("content-type", "content-length")


@dataclass(frozen=True, slots=True)
class Plain:
    """A whole request."""

    method: str
    target: str
    headers: Mapping[str, str]
    """With lower-case names."""
    body: bytes
    end: int
    """Where the next one begins."""


def read(data: bytes, begin: int, *, max_head: int, max_body: int) -> Plain | None:
    """The request at `begin`; None: it is not whole, too large, or of another form."""
    found = _HEAD.match(data, begin)
    if found is None or found.end() - begin > max_head:
        return None
    method, target, host, length = found.groups()
    if (method == b"POST") != (length is not None):
        return None
    size = int(length or 0)
    end = found.end() + size
    if size > max_body or end > len(data):
        return None
    headers = {"host": host.decode("ascii")}
    if length is not None:
        headers |= zip(_OF_BODY, ("application/json", length.decode("ascii")), strict=True)
    body = data[found.end() : end]
    return Plain(method.decode("ascii"), target.decode("ascii"), headers, body, end)


def answer(status: HTTPStatus, body: bytes, headers: Mapping[str, str]) -> bytes:
    """An answer with a JSON text, as h11 would write it.

    Raises:
        ValueError: a header's value has what would be no part of it.
    """
    lines = [f"HTTP/1.1 {status.value} {status.phrase}", "Content-Type: application/json"]
    lines.append(f"Content-Length: {len(body)}")
    for name, value in headers.items():
        if _VALUE.fullmatch(value) is None:
            raise ValueError(f"the value of {name} cannot be in a header")
        lines.append(f"{name}: {value}")
    return "\r\n".join((*lines, "\r\n")).encode("ascii") + body
