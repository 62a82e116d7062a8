"""What the chaos test makes of messages: it notices each way to lose one, or to have it twice."""

from __future__ import annotations

import pytest

from devbridge.runs.model import State
from tests.chaos.messages import Dead, Fate, Found, Ran, Sent, judge

WELL = Sent("queue", 1, Fate.WELL, "r-1")
FAILS = Sent("object", 1, Fate.FAILS)
MISFIT = Sent("topic", 1, Fate.MISFIT, "r-3")
GOOD = Ran("r-1", "queue", 1, State.SUCCEEDED)
FAILED = Ran("r-2", "object", 1, State.FAILED, 2, "ValueError: on purpose")
INVALID = Ran("r-3", "topic", 1, State.FAILED, 1, "PayloadInvalid: number: not an integer")
LETTER = Dead("r-2", "object", 1, "ValueError: on purpose")
REFUSED = Dead("r-3", "topic", 1, "PayloadInvalid: number: not an integer")
ENDED = {"r-1": 1}


def killed(kind: str) -> Ran:
    return Ran("r-1", "queue", 1, State.CRASHED, 1, f"{kind}: gone")


def test_each_message_that_became_what_it_is_is_well() -> None:
    found = Found([GOOD, FAILED, INVALID], [LETTER, REFUSED], ENDED)
    verdict = judge([WELL, FAILS, MISFIT], found)
    assert verdict.broken == []
    assert verdict.counts == {"FAILED, dead letter": 2, "SUCCEEDED": 1}


@pytest.mark.parametrize(
    ("sent", "found", "said"),
    [
        (WELL, Found(), "is lost"),
        (WELL, Found([GOOD, Ran("r-9", "queue", 1, State.SUCCEEDED)], [], ENDED), "has 2 runs"),
        (WELL, Found([Ran("r-9", "queue", 1, State.SUCCEEDED)], [], {"r-9": 1}), "and not r-1"),
        (WELL, Found([GOOD]), "came to its end 0 times"),
        (WELL, Found([GOOD], [], {"r-1": 2}), "came to its end 2 times"),
        (WELL, Found([GOOD], [Dead("r-1", "queue", 1, "")], ENDED), "and is a dead letter"),
        (WELL, Found([], [Dead("", "queue", 1, "")]), "given up as not started"),
        (WELL, Found([GOOD], [Dead("", "queue", 1, "")], ENDED), "and there is a run"),
        (WELL, Found([killed("Killed")], [Dead("r-1", "queue", 1, "")]), "is CRASHED"),
        (WELL, Found([GOOD, FAILED], [LETTER], ENDED), "nobody has sent ('object', 1)"),
        (FAILS, Found([FAILED]), "and no dead letter"),
        (FAILS, Found([FAILED], [LETTER, LETTER]), "is 2 dead letters"),
        (FAILS, Found([], [LETTER]), "which is not in the ledger"),
        (FAILS, Found([Ran("r-2", "object", 1, State.RUNNING)]), "is RUNNING"),
        (MISFIT, Found([Ran("r-3", "topic", 1, State.SUCCEEDED)], [], {"r-3": 1}), "is SUCCEEDED"),
        (
            MISFIT,
            Found([Ran("r-3", "topic", 1, State.FAILED, 1, "KeyError: 'number'")], [REFUSED]),
            "ended with KeyError",
        ),
    ],
)
def test_what_became_of_it_otherwise_is_told(sent: Sent, found: Found, said: str) -> None:
    assert said in "\n".join(judge([sent], found).broken)


def test_a_fault_may_excuse_an_end_and_no_loss() -> None:
    letter = Dead("r-1", "queue", 1, "Killed: gone")
    excused = {"Killed"}
    assert judge([WELL], Found([killed("Killed")], [letter]), excuses=excused).broken == []
    assert judge([WELL], Found([killed("Other")], [letter]), excuses=excused).broken
    assert judge([WELL], Found([killed("Killed")]), excuses=excused).broken
    untried = Found([], [Dead("", "queue", 1, "")])
    assert judge([WELL], untried, untried=True).broken == []
