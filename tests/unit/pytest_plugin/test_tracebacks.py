from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from devbridge.errors import AppFailed, PayloadInvalid
from devbridge.pytest_plugin.tracebacks import brief
from devbridge.testing import MemoryBroker

HERE = Path(__file__).name


def ours(function: Callable[[], None]) -> Callable[[], None]:
    """The function as if it were of devbridge, which calls it."""
    code = "def call():\n    function()\n"
    names = {"__name__": "devbridge.somewhere", "function": function}
    exec(compile(code, "<somewhere>", "exec"), names)  # noqa: S102
    return names["call"]  # type: ignore[return-value]


def frames(error: BaseException) -> list[str]:
    return [Path(frame.filename).name for frame in traceback.extract_tb(error.__traceback__)]


def users_code() -> None:
    raise ValueError("of the user")


def broken_inside() -> None:
    ours(users_code)()


def refused() -> None:
    raise AppFailed("what and why")


def calls_what_is_refused() -> None:
    ours(refused)()


def test_what_leads_into_the_users_code_is_not_shown() -> None:
    with pytest.raises(ValueError, match="of the user") as raised:
        brief(ours(ours(users_code)))()
    assert frames(raised.value) == [HERE, HERE]


def test_what_the_users_code_calls_is_shown() -> None:
    with pytest.raises(ValueError, match="of the user") as raised:
        brief(ours(broken_inside))()
    assert frames(raised.value) == [HERE, HERE, "<somewhere>", HERE]


def test_an_error_of_devbridge_is_shown_without_any_of_its_frames() -> None:
    with pytest.raises(AppFailed) as raised:
        brief(ours(calls_what_is_refused))()
    assert frames(raised.value) == [HERE, HERE, HERE]


def test_an_error_of_a_payload_has_no_second_one_behind_it() -> None:
    def check() -> None:
        try:
            users_code()
        except ValueError as error:
            raise PayloadInvalid("not that") from error

    with pytest.raises(PayloadInvalid) as raised:
        brief(check)()
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


def test_arguments_and_results_pass() -> None:
    assert brief(lambda a, *, b: (a, b))(1, b=2) == (1, 2)
    assert brief(MemoryBroker).__name__ == "MemoryBroker"
