from __future__ import annotations

from typing import Any

import pytest

from devbridge.emulator.inside.asgi import answer, answer_json


@pytest.fixture
def sent() -> list[Any]:
    return []


async def test_a_whole_answer_has_the_length_of_its_body_and_no_other(sent: list[Any]) -> None:
    async def send(message: Any) -> None:
        sent.append(message)

    headers = {"X-A": "1", "Content-Length": "7"}
    await answer(send, 403, headers, b"no", "websocket.http.response")
    raw = [(b"X-A", b"1"), (b"content-length", b"2")]
    assert sent == [
        {"type": "websocket.http.response.start", "status": 403, "headers": raw},
        {"type": "websocket.http.response.body", "body": b"no"},
    ]


async def test_a_document_is_sent_as_json(sent: list[Any]) -> None:
    async def send(message: Any) -> None:
        sent.append(message)

    await answer_json(send, 200, {"a": None})
    raw = [(b"content-type", b"application/json"), (b"content-length", b"11")]
    assert sent == [
        {"type": "http.response.start", "status": 200, "headers": raw},
        {"type": "http.response.body", "body": b'{"a": null}'},
    ]
