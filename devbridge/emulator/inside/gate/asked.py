"""A request as the gate judges it, and what is wrong with the form of one."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final
from urllib.parse import parse_qs, quote, urlsplit

_ONCE: Final = frozenset(
    {
        "authorization",
        "content-length",
        "host",
        "origin",
        "x-amz-content-sha256",
        "x-amz-date",
        "x-amz-security-token",
        "x-amz-target",
    }
)
"""Headers that a request has once at most: who judges it shall read what who serves it reads."""
_SIGNATURES: Final = frozenset(
    {"x-amz-algorithm", "x-amz-credential", "x-amz-signature", "awsaccesskeyid", "signature"}
)


class Refused(Exception):
    """The request is not served: an error of AWS, and why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Asked:
    """A request, before its body is read."""

    def __init__(self, scope: Mapping[str, Any]) -> None:
        self.socket: bool = scope["type"] == "websocket"
        self.method: str = "GET" if self.socket else scope["method"]
        self.path: str = scope["path"]
        raw_path = scope.get("raw_path") or quote(self.path).encode()
        self.raw_path: str = raw_path.decode("latin-1")
        self.query_string: str = scope.get("query_string", b"").decode("utf-8", "replace")
        self.raw_headers: list[tuple[bytes, bytes]] = list(scope["headers"])
        self.headers: dict[str, str] = {}
        self.repeated: set[str] = set()
        for raw_name, raw_value in self.raw_headers:
            name, value = raw_name.decode("latin-1").lower(), _decoded(raw_value)
            if name in self.headers:
                self.repeated.add(name)
                value = f"{self.headers[name]},{value}"
            self.headers[name] = value

    @cached_property
    def query(self) -> dict[str, list[str]]:
        """The query's parameters, decoded; one without a value is an empty text."""
        return parse_qs(self.query_string, keep_blank_values=True)

    @property
    def host(self) -> str:
        """The Host header; empty without one."""
        return self.headers.get("host", "")

    @property
    def foreign(self) -> bool:
        """Whether a page of another machine, or of none, sends it."""
        origin = self.headers.get("origin")
        if origin is None:
            return False
        try:
            return not _loopback(urlsplit(origin).hostname or "")
        except ValueError:
            return True

    @property
    def signs(self) -> bool:
        """Whether it has what a signature of AWS consists of, right or wrong."""
        return self.signs_header or self.signs_query

    @property
    def signs_header(self) -> bool:
        """Whether its Authorization header is one of AWS's."""
        return self.headers.get("authorization", "").startswith("AWS")

    @property
    def signs_query(self) -> bool:
        """Whether its URL is presigned, or has a part of what makes it so."""
        return not _SIGNATURES.isdisjoint(name.lower() for name in self.query)

    @property
    def preflight(self) -> bool:
        """Whether a browser asks if it may send what follows (CORS)."""
        return self.method == "OPTIONS" and "access-control-request-method" in self.headers


def check_form(asked: Asked, port: int) -> None:
    """
    Raises:
        Refused: the request is for another host, or can be read in more than one way.
    """
    if not asked.path.startswith("/") or not asked.raw_path.startswith("/"):
        raise Refused("InvalidURI", "the path does not start with /")
    if twice := sorted(_ONCE & asked.repeated):
        raise Refused("InvalidRequest", f"the header {twice[0]} comes more than once")
    name, _, given = asked.host.partition(":")
    # MQTT's clients send the broker's name, as AWS says it: without a port.
    mqtt = asked.socket and ".iot." in name and not given
    if not _loopback(name) or not (mqtt or given == str(port)):
        raise Refused("AccessDenied", "the Host header is not one of this cloud's names")


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _loopback(name: str) -> bool:
    name = name.lower()
    return name in ("127.0.0.1", "localhost") or name.endswith(".localhost")
