from __future__ import annotations

import json

import pytest

from runner.documents import document, read, shortened, text
from runner.outcome import Cause, Failure

ROOM = 4096
WHOLE = Failure(
    "RuntimeError",
    "cannot load",
    ('File "a.py", line 3, in handler\n    raise',),
    ("Traceback",),
    ("while reading row 7",),
    (Cause("caused by", "KeyError", "'real'", ('File "a.py", line 2, in f',), ("note",), 1),),
)


def test_a_failure_is_the_same_when_it_is_read_again_but_for_its_traceback() -> None:
    written = text(WHOLE, 1 << 16)
    assert json.loads(written) == json.loads(json.dumps(document(WHOLE)))
    assert read(json.loads(written), WHOLE.trace) == WHOLE


def test_what_is_empty_is_left_out() -> None:
    assert document(Failure("E", "")) == {"type": "E", "message": ""}
    bare = Failure("E", "m", causes=(Cause("and 2 more"),))
    assert document(bare)["causes"] == [{"how": "and 2 more"}]


def test_nothing_is_left_out_of_what_fits_to_the_byte() -> None:
    failure = Failure("E", "m", ("a" * 30,) * 20)
    size = len(json.dumps(document(failure)))
    assert read(json.loads(text(failure, size))) == failure
    assert read(json.loads(text(failure, size - 1))).frames != failure.frames


def test_what_an_earlier_version_wrote_can_be_read() -> None:
    assert read({"type": "KeyError", "message": "'x'"}) == Failure("KeyError", "'x'")


@pytest.mark.parametrize("character", ["x", "ü", "\ud800", "\x00", "🦊"])
@pytest.mark.parametrize("length", [0, 1, 300, 100_000])
def test_a_failure_of_any_size_fits(character: str, length: int) -> None:
    text_ = character * length
    texts = (text_,) * min(length, 50)
    cause = Cause(text_[:20], text_, text_, texts, texts, 3)
    failure = Failure(text_, text_, texts, texts, texts, (cause,) * min(length, 70))
    written = text(failure, ROOM)
    assert written.isascii()
    assert len(written) <= ROOM
    kept = read(json.loads(written))
    assert kept.message == text_ or kept.message.endswith("…")


def test_what_is_cut_keeps_the_outermost_and_the_innermost_error_and_says_so() -> None:
    many = tuple(Cause("caused by", "E", f"{n} " + "x" * 2000, ("f" * 500,) * 9) for n in range(30))
    kept = read(json.loads(text(Failure("E", "outer", causes=many), ROOM)))
    assert kept.message == "outer"
    assert kept.causes[0].message.startswith("0 x")
    assert kept.causes[-1].message.startswith("29 x")
    assert sum(cause.how.startswith("and ") for cause in kept.causes) == 1


def test_a_text_is_shortened_between_its_characters() -> None:
    assert shortened("short", 5) == "short"
    assert shortened("üüüü", 7) == "üü…"
