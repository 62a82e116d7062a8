from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from devbridge.constructs import App, Function
from devbridge.constructs.app import loading
from devbridge.errors import DevbridgeError
from devbridge.live.broken import Broken
from devbridge.live.unloaded import Unloaded
from tests.unit.live.voices import Developer

ERROR = DevbridgeError("greet.py does not parse")


def made(root: Path, **options: Any) -> Function:
    (root / "greet.py").write_text("def handler(event, context): ...\n")
    with loading(root):
        return Function(App("demo"), "greet", handler="greet.handler", **options)


@pytest.fixture
def function(tmp_path: Path) -> Function:
    return made(tmp_path, enable_live_dev=False)


def test_a_function_that_cannot_be_packed_is_said_once_until_the_error_is_another(
    function: Function,
) -> None:
    developer = Developer()
    broken = Broken(developer.voice, Unloaded())
    for error in (ERROR, ERROR, DevbridgeError("greet.py is empty")):
        broken.begin()
        broken(function, error, False)
    assert [line.splitlines()[0] for line in developer.said] == [
        "Error  greet.py does not parse",
        "Error  greet.py is empty",
    ]


def test_one_that_was_mended_and_breaks_again_is_said_again(function: Function) -> None:
    developer = Developer()
    broken = Broken(developer.voice, Unloaded())
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
    Broken(developer.voice, Unloaded())(function, ERROR, stays)
    assert f"until it is fixed: {then} (Function 'greet')" in developer.said[0]


@pytest.mark.parametrize(("known", "said"), [(["greet"], 0), ([], 1)])
def test_a_live_one_is_said_where_its_workers_do_not_say_it(
    tmp_path: Path, known: list[str], said: int
) -> None:
    developer, unloaded = Developer(), Unloaded()
    broken = Broken(developer.voice, unloaded)
    broken(made(tmp_path), ERROR, False)
    assert developer.said == []
    unloaded.tell(lambda: known)
    assert len(developer.said) == said
