"""What an invoker is told of its job's triggers."""

from __future__ import annotations

import json

import pytest

from runner.messages import VARIABLE, Listening
from stub_lambda.events import Start
from stub_lambda.records import Outcome, Record


def test_an_invoker_of_a_job_without_triggers_listens_to_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert Listening.from_environment() == Listening()


def test_what_it_listens_to_has_the_names_that_the_app_gives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sources = {"arn:q": {"name": "orders", "dead": "arn:other"}, "arn:r": {"name": "rest"}}
    told = {"inbox": "arn:in", "dead": "arn:dead", "sources": sources}
    monkeypatch.setenv(VARIABLE, json.dumps(told))
    found = Listening.from_environment()
    assert (found.name("arn:q"), found.dead_of("arn:q")) == ("orders", "arn:other")
    assert (found.name("arn:r"), found.dead_of("arn:r")) == ("rest", "arn:dead")
    assert found.name("arn:aws:sqs:eu-west-1:1:some/thing") == "thing"


@pytest.mark.parametrize(
    ("state", "held", "kept"),
    [
        ("QUEUED", True, True),
        ("FAILED", True, True),
        ("SUCCEEDED", True, False),
        ("CANCELLED", True, False),
        ("QUEUED", False, False),
        (None, False, True),
        (None, True, True),
    ],
)
def test_a_message_stays_that_was_not_started_or_is_held_for_its_run(
    state: str | None, held: bool, kept: bool
) -> None:
    record = Record(("m",), Start(b"1", "k", remember=True, held=held))
    assert Outcome(record, None if state is None else {"state": state}).kept is kept


def test_an_invoker_knows_its_own_name_whatever_version_was_called() -> None:
    own = "arn:aws:lambda:eu-west-1:123456789012:function:invoker"
    for invoked in (own, f"{own}:$LATEST"):
        assert Listening.from_environment(invoked).invoker == own
