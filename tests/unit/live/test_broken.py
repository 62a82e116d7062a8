from __future__ import annotations

from pathlib import Path

import pytest

from devbridge.constructs import App, Function
from devbridge.constructs.app import loading
from devbridge.errors import DevbridgeError
from devbridge.live.broken import Broken
from tests.unit.live.voices import Developer

ERROR = DevbridgeError("greet.py does not parse")


@pytest.fixture
def function(tmp_path: Path) -> Function:
    (tmp_path / "greet.py").write_text("def handler(event, context): ...\n")
    with loading(tmp_path):
        return Function(App("demo"), "greet", handler="greet.handler")


def test_a_function_that_cannot_be_packed_is_said_once_until_the_error_is_another(
    function: Function,
) -> None:
    developer = Developer()
    broken = Broken(developer.voice)
    for error in (ERROR, ERROR, DevbridgeError("greet.py is empty")):
        broken.begin()
        broken(function, error, False)
    assert [line.splitlines()[0] for line in developer.said] == [
        "Error  greet.py does not parse",
        "Error  greet.py is empty",
    ]


def test_one_that_was_mended_and_breaks_again_is_said_again(function: Function) -> None:
    developer = Developer()
    broken = Broken(developer.voice)
    broken.begin()
    broken(function, ERROR, False)
    assert broken
    broken.begin()
    assert not broken
    broken.begin()
    broken(function, ERROR, False)
    assert len(developer.said) == 2


@pytest.mark.parametrize(
    ("stays", "then"),
    [(True, "the deployed version stays"), (False, "calls are answered with this error")],
)
def test_it_says_what_callers_get_meanwhile(function: Function, stays: bool, then: str) -> None:
    developer = Developer()
    Broken(developer.voice)(function, ERROR, stays)
    assert f"until it is fixed: {then} (Function 'greet')" in developer.said[0]
