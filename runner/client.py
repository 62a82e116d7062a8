"""A client of the Lambda Runtime API: HTTP/1.1 over one socket, by hand.

`http.client` parses headers with the `email` package, which costs more than the whole exchange. The
peer is the daemon, or AWS's own runtime interface emulator, so a strict reader is enough.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from typing import Any

VERSION = "/2018-06-01"


class RuntimeApiGone(OSError):
    """The Runtime API cannot be reached, or hung up: the daemon has ended."""


class RuntimeClient:
    """The Runtime API at ``HOST:PORT`` or ``HOST:PORT/PREFIX``. Not thread-safe."""

    def __init__(self, address: str) -> None:
        authority, _, prefix = address.partition("/")
        host, _, port = authority.rpartition(":")
        self._peer = (host or authority, int(port) if host else 80)
        self._authority = authority
        self._prefix = f"/{prefix}" if prefix else ""
        self._socket: socket.socket | None = None

    def next(self) -> tuple[Mapping[str, str], bytes]:
        """Wait for an invocation; its headers (lower-case names) and its payload.

        Raises:
            RuntimeApiGone: the API went away, or refused.
        """
        status, headers, body = self._request("GET", f"{VERSION}/runtime/invocation/next")
        if status != 200:
            raise RuntimeApiGone(f"the runtime api answered {status} to `next`: {body[:200]!r}")
        return headers, body

    def respond(self, request_id: str, body: bytes) -> int:
        """Send an invocation's result, a JSON text; the HTTP status."""
        return self._post(f"/runtime/invocation/{request_id}/response", body)

    def fail(self, request_id: str, failure: Mapping[str, Any]) -> int:
        """Send an invocation's error; the HTTP status."""
        return self._post_failure(f"/runtime/invocation/{request_id}/error", failure)

    def fail_init(self, failure: Mapping[str, Any]) -> int:
        """Report that the handler could not be loaded; the HTTP status."""
        return self._post_failure("/runtime/init/error", failure)

    def report_modules(self, modules: Mapping[str, Any]) -> int:
        """Tell devbridge's daemon what the handler imported; others answer 404, which is fine."""
        return self._post("/devbridge/modules", json.dumps(modules).encode())

    def report_lookup(self, name: str) -> int:
        """Tell devbridge's daemon that the app's code looked for a variable which it has not."""
        return self._post("/devbridge/lookup", json.dumps(name).encode())

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _post_failure(self, path: str, failure: Mapping[str, Any]) -> int:
        error_type = str(failure["errorType"]).encode("ascii", "replace").decode()
        return self._post(
            path,
            json.dumps(failure).encode(),
            f"Lambda-Runtime-Function-Error-Type: {' '.join(error_type.split())}\r\n",
        )

    def _post(self, path: str, body: bytes, extra: str = "") -> int:
        return self._request("POST", VERSION + path, body, extra)[0]

    def _request(
        self, method: str, path: str, body: bytes = b"", extra: str = ""
    ) -> tuple[int, dict[str, str], bytes]:
        head = f"{method} {self._prefix}{path} HTTP/1.1\r\nHost: {self._authority}\r\n{extra}"
        if method == "POST":
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        message = head.encode("ascii") + b"\r\n" + body
        while True:
            reused = self._socket is not None
            try:
                return self._exchange(message)
            except OSError as error:
                self.close()
                # A kept connection may have died hours ago, while the handler ran.
                if not reused:
                    raise RuntimeApiGone(f"the runtime api at {self._authority}: {error}") from None

    def _exchange(self, message: bytes) -> tuple[int, dict[str, str], bytes]:
        if self._socket is None:
            # `create_connection` asks getaddrinfo, which imports the IDNA codec: 5 ms.
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            self._socket.connect(self._peer)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(message)
        reader = _Reader(self._socket)
        status = int(reader.line().split(b" ", 2)[1])
        headers: dict[str, str] = {}
        while line := reader.line():
            name, _, value = line.partition(b":")
            headers[name.decode("latin-1").lower()] = value.strip().decode("latin-1")
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = b""
            while size := int(reader.line().split(b";")[0], 16):
                body += reader.exactly(size + 2)[:-2]
            while reader.line():
                pass
        else:
            body = reader.exactly(int(headers.get("content-length", "0")))
        if headers.get("connection", "").lower() == "close":
            self.close()
        return status, headers, body


class _Reader:
    """Lines and counted bytes from a socket that has exactly one response under way."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._buffer = bytearray()

    def line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n")) < 0:
            self._fill()
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._fill()
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def _fill(self) -> None:
        data = self._socket.recv(1 << 18)
        if not data:
            raise ConnectionResetError("connection closed by the peer")
        self._buffer += data
