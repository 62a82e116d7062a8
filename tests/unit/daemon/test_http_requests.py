from __future__ import annotations

from http import HTTPStatus

import pytest

from devbridge.daemon import http_requests
from devbridge.daemon.http_requests import (
    MAX_HEAD,
    Came,
    Continue,
    Endless,
    Refusal,
    Request,
    Requests,
    Whole,
)

GET = b"GET /path?a=1 HTTP/1.1\r\nHost: here\r\nX-Some: Thing\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"2\r\nhe\r\n3\r\nllo\r\n0\r\nX: behind\r\n\r\n"
)
NOT_FOR_YOU = Refusal(HTTPStatus.FORBIDDEN, b"")


def closed(_: Request) -> Refusal:
    return NOT_FOR_YOU


def came(*parts: bytes, max_body: int = 100) -> list[Came]:
    requests = Requests(lambda _: None, {b"GET", b"POST"}, max_body)
    for part in parts:
        requests.feed(part)
    return left(requests)


def left(requests: Requests) -> list[Came]:
    found = []
    while (one := requests.next()) is not None:
        found.append(one)
    return found


def test_however_it_comes_in_pieces_it_is_the_same() -> None:
    data = GET + POST + CHUNKED
    whole = came(data)
    assert [one.request.body for one in whole if isinstance(one, Whole)] == [
        b"",
        b"hello",
        b"hello",
    ]
    assert came(*(data[n : n + 1] for n in range(len(data)))) == whole
    assert whole[0] == Whole(
        Request("GET", "/path", {"host": "here", "x-some": "Thing"}, b"", query="a=1"),
        stays=True,
        chunked=True,
    )
    assert "x" not in whole[2].request.headers  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("head", "stays", "chunked"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close", False, True),
        (b"GET / HTTP/1.0", False, False),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive", True, False),
    ],
)
def test_whether_the_connection_stays_and_answers_may_come_in_pieces(
    head: bytes, stays: bool, chunked: bool
) -> None:
    (one,) = came(head + b"\r\n\r\n")
    assert isinstance(one, Whole)
    assert (one.stays, one.chunked) == (stays, chunked)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"no HTTP at all\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n",
            400,
        ),
        (b"PUT / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        (b"GET /" + b"a" * MAX_HEAD, 431),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * (MAX_HEAD // 6 + 9), 431),
    ],
)
def test_what_is_refused_is_the_last_that_is_read(data: bytes, status: int) -> None:
    whole, refusal = came(GET + data, GET)
    assert isinstance(whole, Whole)
    assert isinstance(refusal, Refusal)
    assert refusal.status == status


def test_who_wants_another_protocol_is_answered_and_no_more_is_read_of_it() -> None:
    upgrade = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"
    whole, refusal = came(upgrade + GET, GET)
    assert isinstance(whole, Whole)
    assert isinstance(refusal, Refusal)


def test_a_field_without_end_is_refused_before_it_is_whole() -> None:
    requests = Requests(lambda _: None, {b"GET"}, 100)
    requests.feed(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
    for _ in range(MAX_HEAD // 1000 + 1):
        requests.feed(b"a" * 1000)
    (refusal,) = left(requests)
    assert isinstance(refusal, Refusal)
    assert refusal.status == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    assert not requests.under_way


def test_the_gate_is_asked_before_a_body_comes() -> None:
    requests = Requests(closed, {b"POST"}, 100)
    requests.feed(POST[:-5])
    assert left(requests) == [NOT_FOR_YOU]
    requests.feed(POST[-5:])
    assert not requests.waiting


def test_of_a_body_that_is_too_large_nothing_is_kept() -> None:
    (one,) = came(POST, max_body=4)
    assert isinstance(one, Whole)
    assert (one.request.too_large, one.request.body) == (True, b"")


def test_a_body_without_end_has_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_requests, "MAX_DISCARDED", 4)
    (one,) = came(POST)
    assert isinstance(one, Endless)


def test_who_waits_to_be_asked_for_the_body_is_asked() -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"
    asked, whole = came(head, b"x")
    assert isinstance(asked, Continue)
    assert isinstance(whole, Whole)


def test_a_request_is_under_way_from_its_first_byte_to_its_last() -> None:
    requests = Requests(lambda _: None, {b"POST"}, 100)
    assert not requests.under_way
    requests.feed(POST[:1])
    assert requests.under_way
    requests.feed(POST[1:-1])
    assert requests.under_way
    requests.feed(POST[-1:])
    assert not requests.under_way
