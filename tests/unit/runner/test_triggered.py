"""A record's payload and its event, carried as one text."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.triggered import (
    HELD,
    MARK,
    MAX_VARIABLE,
    Triggered,
    delivery_of,
    let_go,
    message_ids,
    payload_of,
    triggered,
    variables,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def text(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


@given(JSON, JSON, st.text(max_size=20), st.sampled_from(["", "arn:aws:sqs:eu-west-1:1:dead"]))
def test_what_was_put_together_is_taken_apart(
    payload: object, event: object, name: str, dead: str
) -> None:
    whole = Triggered("queue", name, text(payload), text(event), dead, "arn:q")
    assert triggered(whole.text()) == whole
    assert json.loads(whole.text())["payload"] == payload


def test_the_payloads_own_text_stays_as_it_was() -> None:
    digits = b'{ "price" : 1.10000000000000000000000000000001 }'
    whole = Triggered("queue", "orders", digits, b"{}").text()
    assert payload_of(whole) == digits


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b'{"num":5}',
        MARK,
        MARK + b"{}}",
        MARK + b'{},"payload":1}',
        MARK + b'[],"payload":1,"event":2}',
        MARK + b'{},"payload":1,"event":2}more',
        MARK + b'{},"payload":' + b"[" * 100_000,
        MARK + b"\xff",
    ],
)
def test_any_other_payload_is_what_it_is(body: bytes) -> None:
    assert triggered(body) is None
    assert payload_of(body) == body


def test_an_event_that_no_variable_holds_is_in_none() -> None:
    small = Triggered("queue", "q", b"1", b'{"a":1}')
    assert variables(small) == {"DEVBRIDGE_EVENT": '{"a":1}'}
    assert variables(small._replace(event=b'"' + b"x" * MAX_VARIABLE + b'"')) == {}
    assert variables(None) == {}


def test_a_message_that_is_held_says_which_delivery_it_is_and_that_first_of_all() -> None:
    event = b'{"messageId":"m"}'
    held = Triggered("queue", "q", b"1", event, "arn:dead", "arn:q", delivery=2)
    assert held.text().startswith(HELD)
    assert triggered(held.text()) == held
    assert delivery_of(held.text()) == 2
    assert message_ids(held.text()) == {"m"}
    plain = held._replace(delivery=0).text()
    assert let_go(held.text()) == let_go(plain) == plain
    assert delivery_of(plain) == 0
    assert message_ids(plain) == frozenset()


def test_many_that_are_one_run_have_all_their_messages() -> None:
    event = b'{"Records":[{"messageId":"a"},{"messageId":"b"}]}'
    held = Triggered("queue", "q", b"[]", event, "", "arn:q", delivery=1).text()
    assert message_ids(held) == {"a", "b"}


def test_a_delivery_is_a_number_and_nothing_else() -> None:
    for count in ("true", '"2"', "1.5", "null"):
        text = MARK + f'{{"delivery":{count}}},"payload":1,"event":{{}}}}'.encode()
        found = triggered(text)
        assert found is not None
        assert (found.delivery, type(found.delivery)) == (0, int)
