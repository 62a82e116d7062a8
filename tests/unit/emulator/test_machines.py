from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from devbridge.emulator import machines
from devbridge.emulator.state import Running
from devbridge.errors import EmbeddedCloudFailed


class Cloud(HTTPServer):
    """One that gives the same answer to all, and keeps what it was asked."""

    asked: list[tuple[str, str, str]]
    answer: tuple[int, bytes]


class Handler(BaseHTTPRequestHandler):
    server: Cloud

    def do_GET(self) -> None:
        self.server.asked.append((self.command, self.path, self.headers["Authorization"]))
        status, body = self.server.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with Cloud(("127.0.0.1", 0), Handler) as made:
        made.asked = []
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def test_root_asks_and_gets_what_there_is(cloud: Cloud, tmp_path: Path) -> None:
    running = Running(cloud.server_port, 1, time.time())
    cloud.answer = 200, json.dumps({"machines": [{"id": "a"}]}).encode()
    assert machines.listed(running, tmp_path) == [{"id": "a"}]
    cloud.answer = 404, b'{"interrupted": [], "known": [{"id": "a"}]}'
    found = machines.interrupt(running, tmp_path, "p:1", kill=True)
    assert (found.machines, found.known) == ([], [{"id": "a"}])
    paths = [(method, path) for method, path, _ in cloud.asked]
    assert paths == [
        ("GET", "/_devbridge/machines"),
        ("POST", "/_devbridge/machines?id=p%3A1&kill=1"),
    ]
    assert all(signature.startswith("AWS4-HMAC-SHA256 ") for *_, signature in cloud.asked)


@pytest.mark.parametrize("answer", [(403, b"{}"), (200, b"{")])
def test_no_answer_is_an_error_that_says_where(
    cloud: Cloud, tmp_path: Path, answer: tuple[int, bytes]
) -> None:
    cloud.answer = answer
    running = Running(cloud.server_port, 1, time.time())
    with pytest.raises(EmbeddedCloudFailed, match="does not say what runs on it"):
        machines.listed(running, tmp_path)
