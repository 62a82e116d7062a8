from __future__ import annotations

import pytest

from devbridge.runs.providers.base import NoRoom
from devbridge.runs.refusals import Steps, spared


def test_each_step_is_done_and_the_first_error_is_raised_afterwards() -> None:
    steps, done = Steps(), list[int]()
    for number in range(3):
        with steps.one():
            done.append(number)
            raise NoRoom(str(number))
    assert done == [0, 1, 2]
    with pytest.raises(NoRoom, match="0"):
        steps.done()
    Steps().done()


def test_what_is_spared_the_caller_is_said_in_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    with spared():
        raise NoRoom("no capacity")
    assert capsys.readouterr().out == "devbridge: not now: NoRoom: no capacity\n"
