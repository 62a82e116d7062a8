from __future__ import annotations

import pytest

from devbridge.daemon.asides import Asides
from devbridge.daemon.launching import Launched
from devbridge.daemon.narrator import Narrator
from devbridge.daemon.told import Mood, Paused, Remarked, Told, Who

WHO = Who("w", "a")


class Desk:
    """Two workers, what they have said, and when they were halted."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        self.halted: list[tuple[str, bool]] = []
        self.workers = {name: Launched(name, "a", 5.0) for name in ("w", "x")}
        self.asides = Asides(
            self.workers.get,
            Narrator([self]),
            whose="jobs",
            halted=lambda *what: self.halted.append(what),
        )

    def on(self, event: Told) -> None:
        self.told.append(event)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_variable_that_code_does_not_get_is_remarked_once(desk: Desk) -> None:
    for worker, name in (("w", "TOKEN"), ("x", "TOKEN"), ("x", "OTHER")):
        desk.asides.worker_missed(worker, name)
    said = [(event.who.worker_id, event.mood) for event in remarks(desk)]
    assert said == [("w", Mood.WARN), ("x", Mood.WARN)]
    assert "a looks for TOKEN, which your shell has and jobs do not get" in remarks(desk)[0].text


def test_credentials_that_are_not_there_are_remarked_each_time(desk: Desk) -> None:
    for _ in range(2):
        desk.asides.credentials_failed("w", "expired")
    what = "no credentials for the worker: expired"
    assert desk.told == [Remarked(WHO, what, Mood.BAD)] * 2


def test_where_a_debugger_is_awaited_and_has_stopped_the_worker_is_told(desk: Desk) -> None:
    desk.asides.worker_debugs("w", "ws://127.0.0.1:9229/x")
    desk.asides.worker_paused("w", "jobs/x.py:12")
    desk.asides.worker_paused("w", None)
    assert desk.told == [
        Remarked(WHO, "Debugger ws://127.0.0.1:9229/x", Mood.PLAIN),
        Paused(WHO, "paused at jobs/x.py:12", Mood.PLAIN, "jobs/x.py:12"),
        Paused(WHO, "goes on", Mood.PLAIN, None),
    ]


def test_a_remark_is_about_the_run_that_the_worker_has_by_then(desk: Desk) -> None:
    desk.workers["w"].job_id = "run"
    desk.asides.worker_debugs("w", "ws://x")
    assert [event.who for event in remarks(desk)] == [Who("w", "a", "run")]


def test_what_an_inspector_prints_is_muted_in_its_worker(desk: Desk) -> None:
    desk.asides.worker_mutes("w", ["Debugger attached."])
    assert desk.workers["w"].muted is not None
    assert desk.workers["x"].muted is None


def test_who_decides_about_time_is_told_of_halts_even_of_a_worker_that_is_gone(desk: Desk) -> None:
    desk.asides.worker_halted("w", True)
    desk.asides.worker_halted("gone", False)
    assert desk.halted == [("w", True), ("gone", False)]


def test_a_worker_that_is_gone_has_nothing_more_to_say(desk: Desk) -> None:
    desk.asides.worker_missed("gone", "TOKEN")
    desk.asides.worker_mutes("gone", ["x"])
    desk.asides.worker_debugs("gone", "ws://x")
    desk.asides.worker_paused("gone", "a.py:1")
    desk.asides.credentials_failed("gone", "expired")
    assert desk.told == []


def remarks(desk: Desk) -> list[Remarked]:
    return [event for event in desk.told if isinstance(event, Remarked)]
