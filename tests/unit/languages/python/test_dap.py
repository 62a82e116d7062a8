from __future__ import annotations

import asyncio
import json

import pytest

from devbridge.languages.python import dap
from devbridge.languages.python.dap import NotDap, encode, read


def reader(data: bytes) -> asyncio.StreamReader:
    made = asyncio.StreamReader()
    made.feed_data(data)
    made.feed_eof()
    return made


async def test_messages_are_read_as_they_were_written() -> None:
    messages = [{"seq": 1, "type": "request", "command": "é"}, {"seq": 2, "body": ["\n\r\n"]}]
    given = reader(b"".join(map(encode, messages)))
    assert [await read(given), await read(given), await read(given)] == [*messages, None]


async def test_a_header_may_say_of_which_type_the_content_is() -> None:
    given = b"Content-Length: 2\r\nContent-Type: application/vscode-jsonrpc\r\n\r\n{}"
    assert await read(reader(given)) == {}


@pytest.mark.parametrize("given", [b"", b"Content-Le", encode({"seq": 1})[:-1]])
async def test_an_end_is_an_end_wherever_it_comes(given: bytes) -> None:
    assert await read(reader(given)) is None


BODY = json.dumps({"seq": 1, "type": "request", "command": "initialize"}).encode()


@pytest.mark.parametrize(
    "given",
    [
        # What a page in the browser can send without asking.
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY),
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"content-length: %d\r\n\r\n%s" % (len(BODY), BODY),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS handshake",
        b"Content-Length: 2\r\nHost: evil.example\r\n\r\n{}",
        b"Content-Length: -2\r\n\r\n{}",
        b"Content-Length: 9999999999999\r\n\r\n{}",
        b"Content-Length: 2\r\n\r\n[]",
        b"Content-Length: 2\r\n\r\n{]",
        b"Content-Length: 1\r\n\r\n\xff",
        encode({"seq": 1, "type": "request", "command": {}}),
        encode({"seq": 1, "type": ["request"]}),
        b"Content-Length: " + b"1" * 200_000,
    ],
)
async def test_what_is_no_message_is_refused(given: bytes) -> None:
    with pytest.raises(NotDap):
        await read(reader(given))


async def test_a_message_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dap, "MOST", 10)
    with pytest.raises(NotDap):
        await read(reader(encode({"seq": 1, "type": "event"})))
