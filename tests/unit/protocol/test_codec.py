from __future__ import annotations

import json
import math
import uuid
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbridge.protocol import codec
from devbridge.protocol.errors import Malformed, NewerVersion, ProtocolError, TooLarge
from devbridge.protocol.ids import is_id
from devbridge.protocol.messages import (
    VERSION,
    Abandoned,
    Accepted,
    Cancel,
    Cancelled,
    Invoke,
    Message,
    Presence,
    Raised,
    Rejected,
    Responded,
    Run,
    Status,
    StatusReply,
    Taken,
)
from runner import outcome

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=50)
IDS = st.uuids().map(str)
TIMES = st.floats(0, 1e11)
BODIES = st.binary(max_size=300)

MESSAGES: st.SearchStrategy[Message] = st.one_of(
    st.builds(
        Run,
        request_id=IDS,
        stub_id=IDS,
        sent_at=TIMES,
        job=ANY_TEXT,
        job_id=IDS,
        payload=BODIES,
        idempotency_key=st.none() | ANY_TEXT,
        checkpoint=st.none() | st.binary(min_size=1, max_size=50),
    ),
    st.builds(Cancel, request_id=IDS, stub_id=IDS, sent_at=TIMES, job_id=IDS),
    st.builds(Status, request_id=IDS, stub_id=IDS, sent_at=TIMES, job_id=IDS),
    st.builds(Accepted, request_id=IDS, job_id=IDS, state=ANY_TEXT, duplicate=st.booleans()),
    st.builds(Rejected, request_id=IDS, code=ANY_TEXT, message=ANY_TEXT),
    st.builds(Cancelled, request_id=IDS, job_id=IDS, state=ANY_TEXT),
    st.builds(
        StatusReply,
        request_id=IDS,
        job_id=IDS,
        job=ANY_TEXT,
        state=ANY_TEXT,
        attempt=st.integers(0, 9),
        max_attempts=st.integers(0, 9),
        result=st.none() | BODIES,
        error_type=st.none() | ANY_TEXT,
        error_message=st.none() | ANY_TEXT,
    ),
    st.builds(
        Presence,
        online=st.booleans(),
        daemon_id=IDS,
        host=ANY_TEXT,
        user=ANY_TEXT,
        pid=st.integers(0, 2**31),
        since=TIMES,
        session_expiry=st.integers(0, 604800),
        version=st.integers(1, 9),
    ),
    st.builds(
        Invoke,
        request_id=IDS,
        stub_id=IDS,
        function=ANY_TEXT,
        aws_request_id=IDS,
        function_arn=ANY_TEXT,
        remaining=st.integers(0, 900_000),
        client_context=st.none() | ANY_TEXT,
        identity=st.none() | ANY_TEXT,
        trace_id=st.none() | ANY_TEXT,
        event_key=st.none() | ANY_TEXT,
        event=st.none() | BODIES,
    ),
    st.builds(Abandoned, request_id=IDS, stub_id=IDS),
    st.builds(Taken, request_id=IDS),
    st.builds(Responded, request_id=IDS, body_key=st.none() | ANY_TEXT, body=st.none() | BODIES),
    st.builds(Raised, request_id=IDS, error=BODIES),
)
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=20,
)


def a_run(payload: bytes = b"null", **changes: Any) -> Run:
    values: dict[str, Any] = {
        "request_id": codec.new_id(),
        "stub_id": codec.new_id(),
        "sent_at": 1.0,
        "job": "factorial",
        "job_id": codec.new_id(),
        "payload": payload,
    }
    return Run(**{**values, **changes})


def changed_head(**changes: object) -> bytes:
    line, _, body = codec.encode(a_run()).partition(b"\n")
    head = {**json.loads(line), **changes}
    return json.dumps({k: v for k, v in head.items() if v is not ...}).encode() + b"\n" + body


@given(MESSAGES)
def test_every_message_comes_back_as_it_was(message: Message) -> None:
    assert codec.decode(codec.encode(message)) == message


@given(JSON_VALUES)
def test_every_json_value_comes_back_as_it_was(value: object) -> None:
    assert codec.load_json(codec.dump_json(value)) == value


@pytest.mark.parametrize("payload", [b"0", b"false", b'""', b"null", b"", b"{}", b"[\n1]", b"\n"])
def test_a_payload_is_carried_byte_for_byte(payload: bytes) -> None:
    message = codec.decode(codec.encode(a_run(payload)))
    assert isinstance(message, Run)
    assert message.payload == payload


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_and_never_crash(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        codec.decode(data)


@given(MESSAGES, st.data())
def test_a_damaged_message_is_refused_or_is_another_message(
    message: Message, data: st.DataObject
) -> None:
    encoded = codec.encode(message)
    position = data.draw(st.integers(0, len(encoded) - 1))
    damage = bytes([data.draw(st.integers(0, 255))])
    damaged = encoded[:position] + damage + encoded[position + 1 :]
    head, _, body = damaged.partition(b"\n")
    try:
        other = codec.decode(damaged)
    except ProtocolError:
        assert position < encoded.index(b"\n") + 1, "a body is whatever it is"
        return
    assert codec.decode(codec.encode(other)) == other, "it is one that could have been sent"
    assert type(other).__name__.lower() == codec.load_json(head)["type"].replace("_", "")
    if isinstance(other, Run):
        assert other.payload + (other.checkpoint or b"") == body
    for name in ("request_id", "stub_id", "job_id", "daemon_id", "aws_request_id"):
        assert is_id(getattr(other, name, codec.new_id()))


@given(MESSAGES)
def test_fields_that_this_version_does_not_know_are_ignored(message: Message) -> None:
    line, _, body = codec.encode(message).partition(b"\n")
    extended = codec.dump_json({**codec.load_json(line), "later": [1]}) + b"\n" + body
    assert codec.decode(extended) == message


def test_a_newer_version_is_named() -> None:
    newer = VERSION + 1
    with pytest.raises(NewerVersion, match=f"protocol version {newer}"):
        codec.decode(changed_head(v=newer))


def test_who_knows_no_live_functions_is_told_that_a_call_is_of_a_newer_version() -> None:
    for message in (
        Abandoned(request_id=codec.new_id(), stub_id=codec.new_id()),
        Taken(request_id=codec.new_id()),
        Responded(request_id=codec.new_id(), body=b"1"),
        Raised(request_id=codec.new_id(), error=b"{}"),
    ):
        assert json.loads(codec.encode(message).partition(b"\n")[0])["v"] == 3


def test_only_a_run_that_begins_at_a_checkpoint_needs_to_be_understood_by_newer_ones() -> None:
    run = replace(a_run(), checkpoint=b'{"epoch": 3}')
    data = codec.encode(run)
    assert json.loads(data.partition(b"\n")[0])["v"] == 2
    assert codec.decode(data) == run
    assert data.endswith(run.payload + b'{"epoch": 3}')
    data = codec.encode(a_run())
    assert json.loads(data.partition(b"\n")[0])["v"] == 1
    assert b"checkpoint" not in data


@pytest.mark.parametrize("size", [0, -1, True, "1", 10_000])
def test_a_checkpoint_of_no_size_is_malformed(size: object) -> None:
    with pytest.raises(Malformed, match="run has a bad checkpoint"):
        codec.decode(changed_head(v=2, checkpoint=size))


def test_a_checkpoint_is_as_large_as_a_worker_may_leave_one() -> None:
    assert codec.MAX_CHECKPOINT == outcome.MAX_CHECKPOINT
    codec.encode(replace(a_run(), checkpoint=bytes(codec.MAX_CHECKPOINT)))
    with pytest.raises(TooLarge, match="the checkpoint has 262145 bytes"):
        codec.encode(replace(a_run(), checkpoint=bytes(codec.MAX_CHECKPOINT + 1)))


@pytest.mark.parametrize(
    "changes",
    [
        {"v": ...},
        {"v": 0},
        {"v": "1"},
        {"v": True},
        {"type": "unheard"},
        {"type": []},
        {"type": ...},
        {"job": ...},
        {"job": 5},
        {"job": None},
        {"request_id": "1"},
        {"stub_id": "../../../tmp/x"},
        {"stub_id": "+"},
        {"job_id": str(uuid.uuid4()).upper()},
        {"job_id": f"{uuid.uuid4()}\n"},
        {"sent_at": True},
        {"sent_at": "now"},
        {"sent_at": math.inf},
        {"sent_at": 10**400},
        {"idempotency_key": 1},
        {"body": ...},
        {"body": "yes"},
    ],
)
def test_a_head_with_a_wrong_field_is_malformed(changes: dict[str, object]) -> None:
    with pytest.raises(Malformed):
        codec.decode(changed_head(**changes))


def test_a_head_without_end_is_malformed() -> None:
    with pytest.raises(Malformed, match="no end"):
        codec.decode(b"{" * (codec.MAX_HEAD + 10))


def test_a_head_that_is_nested_too_deeply_is_malformed() -> None:
    with pytest.raises(Malformed, match="deeply"):
        codec.decode(b"[" * 60_000 + b"\n")


def test_the_largest_payload_passes_and_one_byte_more_does_not() -> None:
    run = a_run(b"x" * codec.MAX_BODY)
    assert codec.decode(codec.encode(run)) == run
    with pytest.raises(TooLarge, match="payload has 6291457 bytes"):
        codec.encode(a_run(b"x" * (codec.MAX_BODY + 1)))
    with pytest.raises(TooLarge):
        codec.decode(b"x" * (codec.MAX_MESSAGE + 1))


def test_a_head_that_is_too_large_is_refused() -> None:
    with pytest.raises(TooLarge, match="head"):
        codec.encode(a_run(job="x" * codec.MAX_HEAD))
    assert codec.MAX_HEAD == 65_536, "what older ones on the other end take"


def test_a_job_id_is_the_same_for_the_same_key_only() -> None:
    one = codec.job_id("app", "dev", "factorial", "key")
    assert one == codec.job_id("app", "dev", "factorial", "key")
    assert is_id(one)
    others = {
        codec.job_id("app", "dev", "factorial", "key2"),
        codec.job_id("app", "dev", "factorialkey", ""),
        codec.job_id("app", "devf", "actorial", "key"),
        codec.job_id("appdev", "", "factorial", "key"),
        codec.job_id("app", "dev", "factorial", "\ud800"),
    }
    assert len(others | {one}) == 6


def test_new_ids_differ() -> None:
    ids = {codec.new_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(is_id(each) for each in ids)


def test_characters_are_dumped_as_utf_8_which_is_what_the_limits_count() -> None:
    assert codec.dump_json({"ü": "€\u2028"}) == '{"ü":"€\u2028"}'.encode()
    assert codec.dump_json("\ud800") == b'"\xed\xa0\x80"'
    assert codec.load_json(codec.dump_json("\ud800")) == "\ud800"


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_json_is_not_dumped(value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        codec.dump_json(value)


@pytest.mark.parametrize("data", [b"NaN", b"[Infinity]", b"{", b"\xff", b""])
def test_what_is_not_json_is_not_loaded(data: bytes) -> None:
    with pytest.raises(Malformed):
        codec.load_json(data)


def test_a_value_that_is_nested_too_deeply_is_a_value_error() -> None:
    value: list[Any] = []
    for _ in range(200_000):
        value = [value]
    try:
        with pytest.raises(ValueError, match="deeply"):
            codec.dump_json(value)
    finally:
        while value:  # taken apart by hand: the interpreter would recurse
            value = value.pop()
