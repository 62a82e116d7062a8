from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from devbridge.config import Config
from devbridge.deploy.changes import Change
from devbridge.deploy.plan import Plan
from devbridge.errors import NotConfirmed
from devbridge.live import consent as module
from devbridge.live.consent import Consent, Undecided, ask_first, taken_away
from tests.unit.live.voices import Developer

DEADLINE = 30.0
NOTHING: Any = None
GONE = Change("remove", "T", "AWS::DynamoDB::Table", "Table 'notes'", data=True, physical_id="t")
EMPTY = Change("remove", "E", "AWS::SQS::Queue", "Queue 'empty'", data=True, physical_id="e")
ADDED = Change("add", "A", "AWS::SNS::Topic", "Topic 'a'")
ROLE = Change("remove", "R", "AWS::IAM::Role", "Job 'a'", iam=True)
PLAN = Plan("s", "c", False, (GONE, EMPTY, ADDED, ROLE))


Make = Callable[..., tuple[Consent, list[str]]]


@pytest.fixture
def developer() -> Developer:
    return Developer()


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch, developer: Developer) -> Make:
    def lost(cloud: object, change: Change) -> str:
        return "3 items" if change.label == "Table 'notes'" else ""

    monkeypatch.setattr(module, "lost", lost)

    def consent(*, yes: bool = False, running: bool = True) -> tuple[Consent, list[str]]:
        made = Consent(NOTHING, developer.voice, yes=yes)
        made.running = running
        return made, developer.said

    return consent


def test_what_goes_is_said_and_data_waits_for_an_answer(make: Make) -> None:
    consent, said = make()
    with pytest.raises(Undecided):
        consent.approve(PLAN)
    assert said[:2] == [
        "- Table 'notes' and its 3 items: deleted  (AWS::DynamoDB::Table)",
        "- Queue 'empty': deleted  (AWS::SQS::Queue)",
    ]
    assert said[2] == "nothing was deployed, because that would delete Table 'notes' and 3 items:"
    assert "Put the line back into app.py" in said[3]
    with pytest.raises(Undecided):
        consent.approve(PLAN)
    assert len(said) == 4  # said once


def test_an_answer_is_for_what_was_asked_and_for_once(make: Make) -> None:
    consent, _ = make()
    assert consent.answer("y\n") is False  # nothing was asked
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


def test_what_was_put_back_and_goes_again_is_asked_again(make: Make) -> None:
    consent, said = make()
    for _ in range(2):
        with pytest.raises(Undecided):
            consent.approve(PLAN)
        consent.settled()
    assert len(said) == 8


def test_yes_agrees_and_still_says_what_goes(make: Make) -> None:
    consent, said = make(yes=True)
    consent.approve(PLAN)
    assert said[0] == "- Table 'notes' and its 3 items: deleted  (AWS::DynamoDB::Table)"


def test_at_the_start_it_asks_and_without_a_yes_nothing_is_deployed(
    make: Make, developer: Developer
) -> None:
    consent, _ = make(running=False)
    consent.approve(PLAN)
    assert developer.asked == ["delete Table 'notes' and 3 items?"]
    developer.agrees = False
    with pytest.raises(NotConfirmed, match="deletes Table 'notes' and 3 items"):
        consent.approve(PLAN)


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


# --- before a deployed stage is taken -----------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "yes", "asked"),
    [("deployed", False, 1), ("deployed", True, 0), ("dev", False, 0), (None, False, 0)],
)
def test_only_a_deployed_stage_is_asked_for_before_it_is_taken(
    monkeypatch: pytest.MonkeyPatch,
    developer: Developer,
    mode: str | None,
    yes: bool,
    asked: int,
) -> None:
    modes = {(NOTHING, "demo", "ann"): mode}
    monkeypatch.setattr(module, "stage_mode", lambda *stage: modes[stage])
    app: Any = SimpleNamespace(name="demo")
    ask_first(
        app, NOTHING, Config(root=Path(), python=Path(), stage="ann"), developer.voice, yes=yes
    )
    assert developer.asked == ["run them on this machine?"] * asked
    assert len(developer.said) == asked


# --- an answer that is typed while runs go on ---------------------------------------------------


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], int]]:
    """Types, on whatever keyboard: Latin-1."""
    reader, writer = os.pipe()
    monkeypatch.setattr(module, "_listens", lambda: True)
    monkeypatch.setattr("sys.stdin", SimpleNamespace(fileno=lambda: reader))
    yield lambda text: os.write(writer, text.encode("latin-1"))
    os.close(reader)
    os.close(writer)


async def test_a_yes_that_is_typed_agrees_and_is_the_last_that_is_read(
    make: Make, keyboard: Callable[[str], int]
) -> None:
    consent, _ = make()
    with pytest.raises(Undecided):
        consent.approve(PLAN)
    agreed = asyncio.Event()
    consent.listen(agreed.set)
    consent.listen(agreed.set)  # who is listened to already is not listened to twice
    keyboard("y\n")
    await asyncio.wait_for(agreed.wait(), DEADLINE)
    consent.approve(PLAN)
    consent.settled()
    with pytest.raises(Undecided):
        consent.approve(PLAN)
    again = asyncio.Event()
    consent.listen(again.set)
    keyboard("yes\n")
    await asyncio.wait_for(again.wait(), DEADLINE)


async def test_another_answer_changes_nothing_and_says_so(
    make: Make, keyboard: Callable[[str], int]
) -> None:
    consent, said = make()
    with pytest.raises(Undecided):
        consent.approve(PLAN)
    agreed = asyncio.Event()
    consent.listen(agreed.set)
    keyboard("\n")
    keyboard("não\n")
    async with asyncio.timeout(DEADLINE):
        while said[-1] != "nothing was deleted, and nothing will be deployed until you decide":  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert not agreed.is_set()
    keyboard("y\n")
    await asyncio.wait_for(agreed.wait(), DEADLINE)


async def test_nobody_is_listened_to_in_the_background(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", None)  # what a shell gives to a daemon
    consent, said = make()
    with pytest.raises(Undecided):
        consent.approve(PLAN)
    assert "start devbridge dev again with --yes" in said[3]
    consent.listen(lambda: pytest.fail("nobody can have agreed"))
