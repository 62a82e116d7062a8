"""A client of the Lambda Runtime API: HTTP/1.1 over one socket, by hand.

`http.client` parses headers with the `email` package, which costs more than the whole exchange. The
peer is the daemon, or AWS's own runtime interface emulator, so a strict reader is enough.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from runner.wire import Wire

VERSION = "2018-06-01"
_NEXT = f"/{VERSION}/runtime/invocation/next"
_MODULES = "/devbridge/modules"
_CONNECTIONS = 3
"""That are made for one request: somebody here may close them."""
_dumps = json.dumps  # the user's code may replace it


class RuntimeApiGone(OSError):
    """The Runtime API cannot be reached, or hung up: the daemon has ended."""


class RuntimeClient:
    """The Runtime API at ``HOST:PORT`` or ``HOST:PORT/PREFIX``. Not thread-safe."""

    def __init__(self, address: str) -> None:
        self.address = address
        authority, _, prefix = address.partition("/")
        host, _, port = authority.rpartition(":")
        self._wire = Wire((host or authority, int(port) if host else 80))
        self._authority = authority
        self._prefix = f"/{prefix}" if prefix else ""

    def next(self) -> tuple[Mapping[str, str], bytes]:
        """Wait for an invocation; its headers (lower-case names) and its payload.

        Raises:
            RuntimeApiGone: the API went away, or refused.
        """
        return self._invocation(*self._request("GET", _NEXT))

    def respond_and_next(self, request_id: str, body: bytes) -> tuple[Mapping[str, str], bytes]:
        """Send an invocation's result and wait for the next one, in one round trip: see `next`."""
        path = f"/{VERSION}/runtime/invocation/{request_id}/response"
        return self._and_next(self._message("POST", path, body))

    def respond(self, request_id: str, body: bytes) -> int:
        """Send an invocation's result, a JSON text; the HTTP status."""
        return self._post(f"/runtime/invocation/{request_id}/response", body)

    def fail(self, request_id: str, failure: Mapping[str, Any]) -> int:
        """Send an invocation's error; the HTTP status."""
        return self._post_failure(f"/runtime/invocation/{request_id}/error", failure)

    def fail_init(self, failure: Mapping[str, Any]) -> int:
        """Report that the handler could not be loaded; the HTTP status."""
        return self._post_failure("/runtime/init/error", failure)

    def checkpoint(self) -> bytes | None:
        """Where the invocation begins, if it is not at the beginning."""
        status, _, body = self._request("GET", f"/{VERSION}/devbridge/checkpoint")
        return body if status == 200 else None

    def keep_checkpoint(self, body: bytes) -> int:
        """Have a checkpoint, a JSON text, stored; the HTTP status."""
        return self._post("/devbridge/checkpoint", body)

    def interrupted(self) -> int:
        """Tell, in place of an answer, that the invocation has ended at its last checkpoint."""
        return self._post("/devbridge/interrupted", b"")

    def report_modules(self, modules: Mapping[str, Any]) -> int:
        """Tell devbridge's daemon what the handler imported; others answer 404, which is fine."""
        return self._post(_MODULES, _dumps(modules).encode())

    def report_modules_and_next(
        self, modules: Mapping[str, Any]
    ) -> tuple[Mapping[str, str], bytes]:
        """Tell that and wait for an invocation, in one round trip: see `next`."""
        body = _dumps(modules).encode()
        return self._and_next(self._message("POST", f"/{VERSION}{_MODULES}", body))

    def report_lookup(self, name: str) -> int:
        """Tell devbridge's daemon that the app's code looked for a variable which it has not."""
        return self._post("/devbridge/lookup", _dumps(name).encode())

    def report_lingering(self, left: Sequence[str]) -> int:
        """Tell what keeps this process from ending though the run was answered."""
        return self._post("/devbridge/lingering", _dumps(left).encode())

    def debugger(self, report: Mapping[str, Any]) -> Mapping[str, Any]:
        """Tell whoever serves debuggers something; the answer, which is empty where nobody does."""
        body = _dumps(report).encode()
        status, _, answer = self._request("POST", f"/{VERSION}/devbridge/debugger", body)
        found: Mapping[str, Any] = json.loads(answer) if status == 202 else {}
        return found

    def close(self) -> None:
        """Hang up. The next request connects again."""
        self._wire.close()

    def _and_next(self, message: bytes) -> tuple[Mapping[str, str], bytes]:
        """Send a request, and wait for the next invocation behind it."""
        return self._invocation(*self._exchanged(message + self._message("GET", _NEXT), 2)[1])

    def _invocation(
        self, status: int, headers: Mapping[str, str], body: bytes
    ) -> tuple[Mapping[str, str], bytes]:
        if status != 200:
            raise RuntimeApiGone(f"the runtime api answered {status} to `next`: {body[:200]!r}")
        return headers, body

    def _post_failure(self, path: str, failure: Mapping[str, Any]) -> int:
        error_type = str(failure["errorType"]).encode("ascii", "replace").decode()
        return self._post(
            path,
            _dumps(failure).encode(),
            f"Lambda-Runtime-Function-Error-Type: {' '.join(error_type.split())}\r\n",
        )

    def _post(self, path: str, body: bytes, extra: str = "") -> int:
        return self._request("POST", f"/{VERSION}{path}", body, extra)[0]

    def _request(
        self, method: str, path: str, body: bytes = b"", extra: str = ""
    ) -> tuple[int, dict[str, str], bytes]:
        return self._exchanged(self._message(method, path, body, extra))[0]

    def _message(self, method: str, path: str, body: bytes = b"", extra: str = "") -> bytes:
        head = f"{method} {self._prefix}{path} HTTP/1.1\r\nHost: {self._authority}\r\n{extra}"
        if method == "POST":
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return head.encode("ascii") + b"\r\n" + body

    def _exchanged(
        self, message: bytes, answers: int = 1
    ) -> list[tuple[int, dict[str, str], bytes]]:
        """The answers to a message of so many requests."""
        connections = 0
        while True:
            try:
                if not self._wire.connected:
                    connections += 1
                    self._wire.connect()
            except OSError as error:
                raise self._gone(error) from None
            try:
                self._wire.send(message)
                reader = _Reader(self._wire)
                return [self._answer(reader) for _ in range(answers)]
            except OSError as error:
                self.close()
                # A kept connection may have died hours ago, while the handler ran, or was closed.
                if connections == _CONNECTIONS:
                    raise self._gone(error) from None

    def _gone(self, error: OSError) -> RuntimeApiGone:
        self.close()
        return RuntimeApiGone(f"the runtime api at {self._authority}: {error}")

    def _answer(self, reader: _Reader) -> tuple[int, dict[str, str], bytes]:
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
    """Lines and counted bytes from a connection whose responses under way are all read with it."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._buffer = bytearray()

    def line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n")) < 0:
            self._buffer += self._wire.receive()
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._buffer += self._wire.receive()
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data
