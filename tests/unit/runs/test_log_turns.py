from __future__ import annotations

from devbridge.runs.log_turns import IDLE, LIVELY, MOST, QUICK, RARELY, Turns


class Asking:
    """Somebody who asks whenever it is time, and finds nothing."""

    def __init__(self, **groups: bool) -> None:
        self.now = 1000.0
        self.turns = Turns(self.now)
        self.turns.keep(groups, self.now)

    def ask(self, *, found: bool = False, more: bool = False) -> str:
        """Wait for the next turn, and take it."""
        turn = self.turns.next()
        assert turn is not None
        name, at = turn
        self.now = max(self.now, at)
        self.turns.answered(name, self.now, found=found, more=more)
        return name

    def pass_time(self, seconds: float) -> None:
        until = self.now + seconds
        while self.now < until:
            self.ask()


def test_without_groups_nothing_is_asked() -> None:
    assert Turns(0).next() is None


def test_the_first_question_is_asked_at_once() -> None:
    asking = Asking(a=False)
    asking.ask()
    assert asking.now == 1000.0


def test_it_is_quick_while_something_happens_and_slow_when_nothing_does() -> None:
    asking = Asking(a=False)
    asking.ask()
    assert asking.turns.pause(asking.now) == QUICK
    asking.pass_time(LIVELY)
    assert asking.turns.pause(asking.now) == IDLE[0]
    asking.pass_time(600)
    assert asking.turns.pause(asking.now) == IDLE[1]
    asking.ask(found=True)
    assert asking.turns.pause(asking.now) == QUICK


def test_who_hears_of_a_call_asks_soon() -> None:
    asking = Asking(a=False)
    asking.pass_time(600)
    asking.turns.happened(asking.now)
    turn = asking.turns.next()
    assert turn is not None
    assert turn[1] - asking.now <= QUICK


def test_what_is_new_is_asked_soon_and_what_is_gone_never_again() -> None:
    asking = Asking(a=False)
    asking.pass_time(600)
    asking.turns.keep({"b": False}, asking.now)
    assert {asking.ask() for _ in range(9)} == {"b"}
    assert asking.turns.pause(asking.now) == QUICK


def test_all_have_their_turns_and_who_printed_lately_more_of_them() -> None:
    asking = Asking(a=False, b=False, stubs=True)
    taken = [asking.ask() for _ in range(21)]
    assert taken.count("a") == taken.count("b") == 9
    assert taken.count("stubs") == 3
    while asking.ask(found=True) != "a":
        pass
    taken = [asking.ask() for _ in range(20)]
    assert taken.count("a") > taken.count("b") >= 4


def test_a_page_that_follows_is_the_next_question() -> None:
    asking = Asking(a=False, b=False)
    first = asking.ask(found=True, more=True)
    assert asking.ask(found=True) == first
    assert asking.ask() != first


def test_groups_that_hardly_ever_have_anything_are_asked_rarely() -> None:
    asking = Asking(stubs=True)
    assert asking.turns.pause(asking.now) == QUICK
    asking.pass_time(LIVELY + 1)
    assert asking.turns.pause(asking.now) == RARELY
    asking.turns.keep({"stubs": True, "a": False}, asking.now)
    asking.pass_time(LIVELY + 1)
    assert asking.turns.pause(asking.now) == IDLE[0], "there are others"


def test_refusals_make_longer_and_longer_pauses_until_an_answer_comes() -> None:
    asking = Asking(a=False, b=False)
    pauses = []
    for _ in range(8):
        turn = asking.turns.next()
        assert turn is not None
        pauses.append(turn[1] - asking.now)
        asking.now = turn[1]
        asking.turns.refused(turn[0], asking.now)
    assert pauses == sorted(pauses)
    assert pauses[-1] == MOST
    for _ in range(10):
        asking.ask(found=True)
    assert asking.turns.pause(asking.now) == QUICK


def test_no_more_than_two_questions_a_second_are_asked_however_many_groups_there_are() -> None:
    asking = Asking(**{f"f{number}": False for number in range(50)})
    for _ in range(200):
        asking.ask(found=True)
    assert asking.now - 1000.0 >= 199 * QUICK
