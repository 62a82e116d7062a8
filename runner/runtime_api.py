"""The Lambda Runtime API for one worker at a time, on loopback, below an unguessable path.

What a worker says is put into a queue; `devbridge.daemon.runtime_api` is the laptop's counterpart.
"""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from runner.client import VERSION
from runner.invocation import MAX_BODY, RESULT_TOO_LARGE, Invocation, parse_failure, parse_lingering
from runner.outcome import MAX_CHECKPOINT, Failure

STOPPING = 205
"""The HTTP status for a checkpoint of a worker that was sent SIGTERM."""


@dataclass(frozen=True)
class Started:
    """The worker has loaded its handler and was given the payload."""

    at: float
    """Seconds since the epoch."""


@dataclass(frozen=True)
class Responded:
    """The handler has returned: its result is a JSON text."""

    result: bytes


@dataclass(frozen=True)
class Raised:
    """The handler ended with an error."""

    failure: Failure


@dataclass(frozen=True)
class InitFailed:
    """The handler could not be loaded."""

    failure: Failure


@dataclass(frozen=True)
class Lingers:
    """The worker has answered, and waits for something before it ends."""

    left: tuple[str, ...]


@dataclass(frozen=True)
class Reached:
    """The handler has yielded a checkpoint, a JSON text, which is to be kept."""

    checkpoint: bytes


@dataclass(frozen=True)
class Stopped:
    """The handler was interrupted, and was ended at its last checkpoint."""


Event = Started | Responded | Raised | InitFailed | Lingers | Reached | Stopped


class RuntimeApi:
    """Serves until the process ends."""

    def __init__(self) -> None:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def expect(self, invocation: Invocation, timeout: float, tell: Callable[[Event], None]) -> str:
        """Expect a new worker, and only that one: its AWS_LAMBDA_RUNTIME_API.

        Its deadline is `timeout` seconds from when it gets the payload.
        """
        token = secrets.token_urlsafe(32)
        self._server.worker = _Worker(token, invocation, timeout, tell)
        return f"127.0.0.1:{self._server.server_port}/{token}"

    def interrupt(self) -> None:
        """The worker is sent SIGTERM. The answer to a checkpoint says so, too (`STOPPING`): a
        signal that comes while Node lets go of its listener is lost."""
        if self._server.worker is not None:
            self._server.worker.interrupted = True


class _Worker:
    def __init__(
        self, token: str, invocation: Invocation, timeout: float, tell: Callable[[Event], None]
    ) -> None:
        self.token = token
        self.invocation = invocation
        self.timeout = timeout
        self.tell = tell
        self.running = False
        self.asked = False
        self.interrupted = False


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    worker: _Worker | None = None

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A worker that went away in the middle of a request is told by its exit."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        worker = self._worker()
        if worker is None:
            return
        own = f"/{worker.token}/{VERSION}"
        if self.path == f"{own}/devbridge/checkpoint":
            begins = worker.running and worker.invocation.begins_at_checkpoint
            body = (begins and worker.invocation.checkpoint) or b""
            self._answer(200 if begins else 204, body)
        elif self.path != f"{own}/runtime/invocation/next":
            self._answer(404, b"{}")
        elif worker.asked:
            self._answer(403, b"{}")
        else:
            worker.asked = worker.running = True
            now = time.time()
            worker.tell(Started(now))
            invocation = replace(worker.invocation, deadline=now + worker.timeout)
            self._answer(200, invocation.payload, invocation.headers())

    def do_POST(self) -> None:
        worker = self._worker()
        if worker is None:
            return
        own = f"/{worker.token}/{VERSION}"
        run = f"{own}/runtime/invocation/{worker.invocation.job_id}"
        size = int(self.headers.get("Content-Length") or 0)
        if self.path in (f"{run}/response", f"{run}/error") and worker.running:
            worker.running = False
            if size > MAX_BODY:
                self._drain(size)
                worker.tell(Raised(RESULT_TOO_LARGE))
                self._answer(413, b"{}")
                return
            body = self.rfile.read(size)
            response = self.path.endswith("/response")
            worker.tell(Responded(body) if response else Raised(parse_failure(body)))
            self._answer(202, b"{}")
            return
        if self.path == f"{own}/devbridge/checkpoint":
            self._keep(worker, size)
            return
        body = self.rfile.read(min(size, MAX_BODY))
        if self.path == f"{own}/runtime/init/error":
            worker.tell(InitFailed(parse_failure(body)))
            self._answer(202, b"{}")
        elif self.path == f"{own}/devbridge/lingering":
            worker.tell(Lingers(parse_lingering(body)))
            self._answer(202, b"{}")
        elif self.path == f"{own}/devbridge/interrupted" and worker.running:
            worker.running = False
            worker.tell(Stopped())
            self._answer(202, b"{}")
        else:
            self._answer(404, b"{}")

    def _keep(self, worker: _Worker, size: int) -> None:
        """Take a checkpoint of an invocation that runs."""
        if not worker.running or size > MAX_CHECKPOINT:
            self._drain(size)
            self._answer(413 if worker.running else 403, b"{}")
            return
        worker.tell(Reached(self.rfile.read(size)))
        self._answer(STOPPING if worker.interrupted else 202, b"{}")

    def _drain(self, size: int) -> None:
        """Read a body away: a worker that is still sending would not hear the answer."""
        while size > 0 and (data := self.rfile.read(min(size, 1 << 16))):
            size -= len(data)

    def _worker(self) -> _Worker | None:
        """The worker whose token is in the path; anybody else is refused."""
        worker = self.server.worker
        given = self.path[1:].partition("/")[0].encode()
        if worker is not None and hmac.compare_digest(given, worker.token.encode()):
            return worker
        self.close_connection = True
        self._answer(403, b"{}")
        return None

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response_only(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the path is a secret."""
