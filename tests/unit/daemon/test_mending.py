from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from devbridge.daemon.mending import FIRST_PAUSE, LONGEST_PAUSE, Mending
from runner.outcome import Failure

OOPS = Failure("OSError", "[Errno 98] Address already in use")


def test_a_job_of_which_nothing_is_known_is_not_tried_again() -> None:
    mending = Mending()
    mending.asked()
    mending.ended("w1")
    mending.due(1e9)
    assert not mending.broken
    assert not mending.trying


def test_only_a_process_that_was_there_gives_a_reason_to_try_again() -> None:
    mending = Mending()
    mending.failed(OOPS, ["w1"], 0.0)
    mending.ended("w2")
    assert mending.hopeless
    mending.ended("w1")
    assert mending.trying
    mending.failed(OOPS, [], 0.0)
    mending.ended("w1")
    assert mending.hopeless


def test_an_error_that_comes_and_goes_is_new_once_and_again_after_a_save() -> None:
    mending = Mending()
    assert mending.failed(OOPS, [], 0.0)
    mending.loaded()
    assert not mending.failed(OOPS, [], 0.0)
    mending.renewed()
    assert mending.failed(OOPS, [], 0.0)


def test_a_success_makes_the_pauses_short_again() -> None:
    mending = Mending()
    for _ in range(5):
        mending.failed(OOPS, [], 0.0)
    mending.loaded()
    mending.failed(OOPS, [], 100.0)
    assert mending.again_at == 100.0 + FIRST_PAUSE


@given(st.integers(1, 2000))
def test_pauses_grow_to_their_limit_and_no_further(tries: int) -> None:
    mending, before = Mending(), 0.0
    for _ in range(tries):
        mending.failed(OOPS, [], 0.0)
        assert mending.again_at is not None
        assert before <= mending.again_at <= LONGEST_PAUSE
        before = mending.again_at
