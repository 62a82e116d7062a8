from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from devbridge.protocol import codec, messages
from devbridge.protocol.ids import is_id
from devbridge.protocol.messages import (
    NOBODY,
    REJECT_UNKNOWN_JOB,
    REJECT_UNKNOWN_RUN,
    Accepted,
    Call,
    CallReply,
    Message,
    Presence,
    Rejected,
    Reply,
    Request,
    Topics,
    is_unknown_run,
)

ROOT = Path(__file__).parents[3]


def test_every_message_is_asked_answered_or_the_presence_and_can_be_encoded() -> None:
    asked = {*get_args(Request), *get_args(Call)}
    kinds = {*asked, *get_args(Reply), *get_args(CallReply), Presence}
    assert {*get_args(Message)} == kinds == {*codec._KIND_OF}


def test_every_request_names_who_is_to_answer_and_every_reply_what_it_answers() -> None:
    for request in get_args(Request):
        assert {"request_id", "stub_id", "sent_at"} <= {*request.__slots__}
    for call in get_args(Call):
        assert {"request_id", "stub_id"} <= {*call.__slots__}
        assert "sent_at" not in call.__slots__, "two machines may differ in the time of day"
    for reply in (*get_args(Reply), *get_args(CallReply)):
        assert "request_id" in reply.__slots__
        assert "stub_id" not in reply.__slots__


def test_the_stub_that_nobody_is_has_an_id_like_any_other() -> None:
    assert is_id(NOBODY)
    assert codec.new_id() != NOBODY


def test_topics_are_below_the_stages_own_prefix() -> None:
    topics, stub_id = Topics("demo", "ann"), codec.new_id()
    assert topics.prefix == "devbridge/demo/ann"
    assert topics.requests == "devbridge/demo/ann/requests"
    assert topics.calls == "devbridge/demo/ann/calls"
    assert topics.presence == "devbridge/demo/ann/presence"
    assert topics.replies(stub_id) == f"devbridge/demo/ann/replies/{stub_id}"


def test_what_is_too_large_for_the_wire_is_below_the_stages_own_folder() -> None:
    """Roles of functions name it, and nothing wider."""
    topics, request_id = Topics("demo", "ann"), codec.new_id()
    assert topics.event_key(request_id) == f"calls/demo/ann/{request_id}/event"
    assert topics.answer_key(request_id) == f"calls/demo/ann/{request_id}/answer"


def test_no_two_stages_have_a_client_in_common() -> None:
    """MQTT ends the connection of a client whose id comes again."""
    stages = [Topics("a", "b-c"), Topics("a-b", "c"), Topics("a", "b")]
    ids = [topics.daemon_client_id for topics in stages]
    ids += [topics.stub_client_id(NOBODY) for topics in stages]
    assert len({*ids}) == len(ids)
    assert all(len(each) <= 128 for each in ids), "AWS IoT's limit"


@pytest.mark.parametrize(
    ("reply", "unknown"),
    [
        (Rejected(request_id=NOBODY, code=REJECT_UNKNOWN_RUN, message=""), True),
        (Rejected(request_id=NOBODY, code=REJECT_UNKNOWN_JOB, message=""), False),
        (Accepted(request_id=NOBODY, job_id=NOBODY, state=REJECT_UNKNOWN_RUN), False),
    ],
)
def test_only_a_rejection_says_that_a_run_is_unknown(reply: Reply, unknown: bool) -> None:
    assert is_unknown_run(reply) is unknown


def test_every_reject_code_is_sent_by_somebody() -> None:
    codes = {name for name in vars(messages) if name.startswith("REJECT_")}
    used: set[str] = set()
    for package in ("devbridge/daemon", "stub_lambda"):
        for path in (ROOT / package).rglob("*.py"):
            used |= {*re.findall(r"\bREJECT_\w+", path.read_text("utf-8"))}
    assert codes == used
