from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.host.told import MAX_IDLE, MAX_INTERRUPTIONS, Told, read, text
from runner.outcome import CRASHED, FAILED, RUNNING, SUCCEEDED, Failure

TIMES = st.none() | st.floats(0, 2e9)
WORDS = st.text(st.characters(codec="utf-8"), max_size=20)
LOGS = st.lists(st.tuples(WORDS, WORDS), max_size=3).map(tuple)
TOLD = st.builds(
    Told,
    state=st.sampled_from([RUNNING, SUCCEEDED, FAILED]),
    attempt=st.integers(1, 11),
    started_at=TIMES,
    ended_at=TIMES,
    result=st.sampled_from([None, "null", '{"a":[1.50]}', "@results/a/b.json"]),
    failure=st.none() | st.builds(Failure, WORDS, WORDS),
    logs=LOGS,
    interruptions=st.integers(0, 30),
    idle=st.integers(0, 3),
    mark=st.sampled_from(["", "0123"]),
    handed=st.booleans(),
    hop=st.integers(0, 600),
    owner=st.sampled_from(["", "x"]),
    spent=st.floats(0, 1e6),
    not_before=st.floats(0, 2e9),
)


@given(TOLD)
def test_a_machine_reads_what_another_one_has_told(told: Told) -> None:
    assert read(text(told)) == told


def test_what_is_told_has_the_words_that_others_read() -> None:
    told = Told(SUCCEEDED, 2, 1.0, 2.0, "[1.50]", logs=(("g", "s"),), hop=3)
    assert json.loads(text(told)) == {
        "state": "SUCCEEDED",
        "attempt": 2,
        "startedAt": 1.0,
        "endedAt": 2.0,
        "result": "[1.50]",
        "logs": [["g", "s"]],
        "interruptions": 0,
        "hop": 3,
    }
    elsewhere = json.loads(text(Told(SUCCEEDED, result="@results/x.json")))
    assert (elsewhere["resultAt"], "result" in elsewhere) == ("results/x.json", False)
    failed = json.loads(text(Told(FAILED, failure=Failure("KeyError", "'x'"))))
    assert failed["error"] == {"type": "KeyError", "message": "'x'"}


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"state": "RUNNING"}', b"\xff"])
def test_what_nobody_of_us_has_written_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"JSON|read|decode|Expecting"):
        read(body)


def test_a_run_begins_once_however_many_machines_it_has() -> None:
    first = Told().running(5.0, ("g", "one"))
    assert (first.state, first.started_at, first.logs) == (RUNNING, 5.0, (("g", "one"),))
    second = replace(first, handed=True).running(9.0, ("g", "two")).running(11.0, ("g", "two"))
    assert (second.started_at, second.handed) == (5.0, False)
    assert second.logs == (("g", "one"), ("g", "two"))
    assert Told().running(5.0, None).logs == ()


def test_interruptions_without_progress_are_counted_from_the_last_checkpoint() -> None:
    told = Told()
    counted = []
    for checkpoint in (None, None, b"1", b"2", b"2"):
        told = told.interrupted(checkpoint)
        counted.append((told.interruptions, told.idle))
        assert told.stuck() is None
    assert counted == [(1, 1), (2, 2), (3, 1), (4, 1), (5, 2)]
    end = told.interrupted(b"2").stuck()
    assert end is not None
    assert end.failure is not None
    assert (end.state, end.final) == (CRASHED, True)
    assert end.failure.message == "interrupted 3 times without progress, at the same checkpoint"


def test_a_run_without_checkpoints_is_given_up_after_as_many() -> None:
    told = Told()
    for _ in range(MAX_IDLE):
        assert told.stuck() is None
        told = told.interrupted(None)
    end = told.stuck()
    assert end is not None
    assert end.failure is not None
    assert end.failure.message.endswith("3 times without progress, before its first checkpoint")


def test_no_run_is_interrupted_for_ever() -> None:
    told = Told()
    for number in range(MAX_INTERRUPTIONS):
        assert told.stuck() is None
        told = told.interrupted(b"%d" % number)
    end = told.stuck()
    assert end is not None
    assert end.failure == Failure("Interrupted", f"interrupted {MAX_INTERRUPTIONS} times")
