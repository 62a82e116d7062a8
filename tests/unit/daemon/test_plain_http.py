from __future__ import annotations

from http import HTTPStatus

import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from devbridge.daemon import plain_http
from devbridge.daemon.plain_http import Plain
from runner.client import RuntimeClient

POST = (
    b"POST /t/x HTTP/1.1\r\nHost: h:1\r\n"
    b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
)
GET = b"GET /t/next HTTP/1.1\r\nHost: h:1\r\n\r\n"


def read(data: bytes, begin: int = 0, *, head: int = 1000, body: int = 1000) -> Plain | None:
    return plain_http.read(data, begin, max_head=head, max_body=body)


def by_h11(data: bytes) -> tuple[str, str, dict[str, str], bytes]:
    """The first request as h11 reads it."""
    connection, body = h11.Connection(h11.SERVER), b""
    connection.receive_data(data)
    request = connection.next_event()
    assert isinstance(request, h11.Request)
    while isinstance(event := connection.next_event(), h11.Data):
        body += event.data
    assert isinstance(event, h11.EndOfMessage)
    headers = {name.decode(): value.decode("latin-1") for name, value in request.headers}
    return request.method.decode(), request.target.decode(), headers, body


def test_what_a_runner_writes_is_read_one_after_the_other() -> None:
    client = RuntimeClient("127.0.0.1:9/token")
    answer = client._message("POST", "/2018-06-01/runtime/invocation/1/response", b'{"a":1}')
    data = answer + client._message("GET", "/2018-06-01/runtime/invocation/next")
    client.close()
    first = read(data)
    assert first is not None
    assert (first.method, first.body, first.end) == ("POST", b'{"a":1}', len(answer))
    assert first.target == "/token/2018-06-01/runtime/invocation/1/response"
    assert first.headers["host"] == "127.0.0.1:9"
    second = read(data, first.end)
    assert second is not None
    assert (second.method, second.body, second.end) == ("GET", b"", len(data))
    assert second.target == "/token/2018-06-01/runtime/invocation/next"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(POST[:-1], id="its body is not whole"),
        pytest.param(GET[:-1], id="its head is not whole"),
        pytest.param(b"", id="nothing"),
        pytest.param(POST.replace(b"POST", b"GET"), id="a GET with a body"),
        pytest.param(GET.replace(b"GET", b"POST"), id="a POST without a length"),
        pytest.param(GET.replace(b"GET", b"PUT"), id="another method"),
        pytest.param(GET.replace(b"1.1", b"1.0"), id="an older HTTP"),
        pytest.param(GET.replace(b"h:1", b"h:1\r\nOrigin: http://x"), id="one more header"),
        pytest.param(GET.replace(b"h:1", b"h:1 "), id="a space"),
        pytest.param(GET.replace(b"/t/", b"http://x/"), id="a whole URL"),
        pytest.param(POST.replace(b": 2", b": 02"), id="another number"),
        pytest.param(POST.replace(b"application/json", b"text/plain"), id="another type"),
    ],
)
def test_what_is_of_another_form_is_left_to_h11(data: bytes) -> None:
    assert read(data) is None


def test_what_is_too_large_is_left_to_h11() -> None:
    assert read(POST, head=len(POST) - 2, body=2) is not None
    assert read(POST, head=len(POST) - 3) is None
    assert read(POST, body=1) is None


@given(
    st.sampled_from([POST, GET, POST + GET, GET + POST]),
    st.lists(st.tuples(st.integers(0, 100), st.binary(max_size=3))),
)
@example(POST, [])
@example(GET, [])
def test_what_is_read_h11_would_have_read_as_the_same(
    data: bytes, changes: list[tuple[int, bytes]]
) -> None:
    for at, new in changes:
        data = data[:at] + new + data[at + len(new) :]
    if (found := read(data)) is not None:
        assert (found.method, found.target, found.headers, found.body) == by_h11(data)


@pytest.mark.parametrize("headers", [{}, {"X-One": "1", "X-Two": '{"a": "b"}'}])
def test_an_answer_is_the_one_that_h11_would_give(headers: dict[str, str]) -> None:
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(GET)
    connection.next_event()
    own = [("Content-Type", "application/json"), ("Content-Length", "4"), *headers.items()]
    response = h11.Response(status_code=202, headers=own, reason=b"Accepted")
    parts = (response, h11.Data(data=b"null"), h11.EndOfMessage())
    told = b"".join(connection.send(part) or b"" for part in parts)
    assert plain_http.answer(HTTPStatus.ACCEPTED, b"null", headers) == told


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\n", "\x7f", "ä"])
def test_a_value_that_is_none_of_a_header_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="the value of X cannot be in a header"):
        plain_http.answer(HTTPStatus.OK, b"", {"X": value})
