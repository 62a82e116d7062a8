from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from devbridge.cli import consent as module
from devbridge.cli.consent import Consent, Undecided, taken_away
from devbridge.deploy.changes import Change
from devbridge.deploy.plan import Plan
from devbridge.errors import NotConfirmed

GONE = Change("remove", "T", "AWS::DynamoDB::Table", "Table 'notes'", data=True, physical_id="t")
EMPTY = Change("remove", "E", "AWS::SQS::Queue", "Queue 'empty'", data=True, physical_id="e")
ADDED = Change("add", "A", "AWS::SNS::Topic", "Topic 'a'")
ROLE = Change("remove", "R", "AWS::IAM::Role", "Job 'a'", iam=True)
PLAN = Plan("s", "c", False, (GONE, EMPTY, ADDED, ROLE))


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Consent, list[str]]]:
    monkeypatch.setattr(
        "devbridge.deploy.contents.lost",
        lambda cloud, change: "3 items" if change.label == "Table 'notes'" else "",
    )

    def consent(*, yes: bool = False, running: bool = True) -> tuple[Consent, list[str]]:
        said: list[str] = []
        nothing: Any = None
        made = Consent(nothing, yes=yes, say=said.append)
        made.running = running
        return made, said

    return consent


def test_what_goes_is_said_and_data_waits_for_an_answer(
    make: Callable[..., tuple[Consent, list[str]]],
) -> None:
    consent, said = make()
    with pytest.raises(Undecided):
        consent.approve(PLAN)
    assert said[:2] == [
        "- Table 'notes' and its 3 items: deleted  (AWS::DynamoDB::Table)",
        "- Queue 'empty': deleted  (AWS::SQS::Queue)",
    ]
    assert said[2] == "nothing is deployed, for that would delete Table 'notes' and 3 items:"
    assert "Put the line back into app.py" in said[3]
    with pytest.raises(Undecided):
        consent.approve(PLAN)
    assert len(said) == 4  # said once


def test_an_answer_is_for_what_was_asked_and_for_once(
    make: Callable[..., tuple[Consent, list[str]]],
) -> None:
    consent, _ = make()
    assert not consent.answer("y\n")  # nothing was asked
    with pytest.raises(Undecided):
        consent.approve(PLAN)
    assert not consent.answer("n\n")
    assert consent.answer("y\n")
    consent.approve(PLAN)
    consent.settled()
    with pytest.raises(Undecided):
        consent.approve(PLAN)
    other = Plan("s", "c", False, (Change("remove", "U", GONE.type, "Table 'b'", data=True),))
    assert consent.answer("y\n")
    consent.approve(other)  # nothing is in it


def test_what_was_put_back_and_goes_again_is_asked_again(
    make: Callable[..., tuple[Consent, list[str]]],
) -> None:
    consent, said = make()
    for _ in range(2):
        with pytest.raises(Undecided):
            consent.approve(PLAN)
        consent.settled()
    assert len(said) == 8


def test_yes_agrees_and_still_says_what_goes(
    make: Callable[..., tuple[Consent, list[str]]],
) -> None:
    consent, said = make(yes=True)
    consent.approve(PLAN)
    assert said[0] == "- Table 'notes' and its 3 items: deleted  (AWS::DynamoDB::Table)"


def test_at_the_start_it_asks_and_without_a_terminal_nothing_is_changed(
    make: Callable[..., tuple[Consent, list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devbridge.cli.deploying.has_terminal", lambda: False)
    consent, _ = make(running=False)
    with pytest.raises(NotConfirmed, match="deletes Table 'notes' and 3 items"):
        consent.approve(PLAN)
    asked: list[str] = []
    monkeypatch.setattr(module, "confirm", lambda question, what: asked.append(question))
    consent.approve(PLAN)
    assert asked == ["delete Table 'notes' and 3 items?"]


def test_a_new_stage_and_ordinary_changes_are_told_by_their_progress_alone() -> None:
    assert list(taken_away(Plan("s", "c", True, (GONE,)), {})) == []
    assert list(taken_away(Plan("s", "c", False, (ADDED, ROLE)), {})) == []


def test_what_is_kept_and_what_is_replaced_are_told_as_such() -> None:
    kept = Change("remove", "T", GONE.type, "Table 'a'", data=True, kept=True)
    anew = Change("replace", "T", GONE.type, "Table 'b'", reason="KeySchema", data=True)
    assert list(taken_away(Plan("s", "c", False, (kept, anew)), {"Table 'b'": "1 item"})) == [
        "- Table 'a': removed, and kept outside of the app  (AWS::DynamoDB::Table)",
        "! Table 'b' and its 1 item: replaced: KeySchema  (AWS::DynamoDB::Table)",
    ]
