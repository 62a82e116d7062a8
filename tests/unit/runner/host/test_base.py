from __future__ import annotations

from runner.host.base import Pause, Window


def test_an_attempt_has_the_jobs_own_time_unless_its_place_says_otherwise() -> None:
    window = Window(60.0)
    assert (window.stop_at, window.cut) == (None, False)
    assert Pause(1.0).here
