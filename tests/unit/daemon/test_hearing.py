from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from devbridge.daemon.events import (
    Event,
    Halted,
    Lingers,
    Raised,
    Responded,
    StandbyFailed,
    StandbyReady,
)
from devbridge.daemon.hearing import Hearing
from devbridge.daemon.told import Mood
from devbridge.workers.modules import Modules
from runner.outcome import Failure

FAILURE = Failure("ValueError", "no")
MODULES = Modules(frozenset(), ("polars",))


class Desk:
    """Those whom what workers say concerns: each notes what it is told."""

    def __init__(self) -> None:
        self.posted: list[Event] = []
        self.workers: dict[str, Any] = {}
        self.told: list[tuple[Any, ...]] = []
        self.stale = self.outdated = False
        there: Any = self
        self.reached: list[tuple[str, bytes]] = []
        self.hearing = Hearing(
            lambda: there,
            there,
            there,
            there,
            post=self.posted.append,
            reached=lambda *what: self.reached.append(what),
        )

    def enter(self, worker_id: str, job_id: str = "") -> None:
        self.workers[worker_id] = SimpleNamespace(job="a", job_id=job_id, launched_at=5.0)

    # --- processes

    def worker(self, worker_id: str) -> Any:
        return self.workers.get(worker_id)

    def remark(self, worker_id: str, text: str, mood: Mood) -> None:
        self.told.append((worker_id, text, mood))

    def paused(self, worker_id: str, where: str | None) -> None:
        self.told.append((worker_id, "paused", where))

    def mute(self, worker_id: str, beginnings: Sequence[str]) -> None:
        self.told.append((worker_id, "muted", *beginnings))

    def halted(self, worker_id: str, halted: bool) -> None:
        self.told.append((worker_id, halted))

    # --- reports, launcher, reloading

    def add(self, job: str, modules: Modules, launched_at: float) -> None:
        self.told.append(("report", job, launched_at))

    def reported(self, job: str, modules: Modules) -> bool:
        return self.outdated

    def imported(self, job: str, modules: Modules, launched_at: float) -> bool:
        self.told.append(("imported", job, launched_at))
        return self.stale

    def renew(self, job: str) -> None:
        self.told.append(("renew", job))


def test_a_checkpoint_goes_to_its_run() -> None:
    desk = Desk()
    desk.hearing.worker_reached("w", "run-1", b"7")
    assert desk.reached == [("run-1", b"7")]
    assert desk.posted == []


def test_what_becomes_of_workers_and_runs_is_posted() -> None:
    desk = Desk()
    desk.hearing.worker_ready("w")
    desk.hearing.worker_responded("w", "r", b"1")
    desk.hearing.worker_failed("w", "r", FAILURE)
    desk.hearing.worker_lingers("w", ["its thread"])
    desk.hearing.worker_init_failed("w", FAILURE)
    assert desk.posted == [
        StandbyReady("w"),
        Responded("w", "r", b"1"),
        Raised("w", "r", FAILURE),
        Lingers("w", ("its thread",)),
        StandbyFailed("w", FAILURE),
    ]


def test_what_a_standby_has_imported_is_watched_and_written_down() -> None:
    desk = Desk()
    desk.enter("w")
    desk.hearing.worker_modules("w", MODULES)
    assert desk.told == [("imported", "a", 5.0), ("report", "a", 5.0)]


def test_what_a_run_has_imported_is_only_written_down() -> None:
    desk = Desk()
    desk.stale = True
    desk.enter("w", "run")
    desk.hearing.worker_modules("w", MODULES)
    assert desk.told == [("report", "a", 5.0)]


def test_a_worker_that_is_out_of_date_is_replaced_whoever_has_found_out() -> None:
    for which in ("stale", "outdated"):
        desk = Desk()
        desk.enter("w")
        setattr(desk, which, True)
        desk.hearing.worker_modules("w", MODULES)
        assert desk.told[-1] == ("renew", "a")


def test_a_worker_that_is_gone_has_nothing_more_to_say() -> None:
    desk = Desk()
    desk.hearing.worker_modules("w", MODULES)
    desk.hearing.worker_missed("w", "TOKEN")
    assert desk.told == []


def test_a_variable_that_jobs_do_not_get_is_remarked_once() -> None:
    desk = Desk()
    desk.enter("w")
    desk.enter("x")
    desk.hearing.worker_missed("w", "TOKEN")
    desk.hearing.worker_missed("x", "TOKEN")
    desk.hearing.worker_missed("x", "OTHER")
    assert [(worker, mood) for worker, _, mood in desk.told] == [
        ("w", Mood.WARN),
        ("x", Mood.WARN),
    ]
    assert "TOKEN" in desk.told[0][1]


def test_credentials_that_are_not_there_are_remarked_each_time() -> None:
    desk = Desk()
    for _ in range(2):
        desk.hearing.credentials_failed("w", "expired")
    assert desk.told == [("w", "no credentials for the worker: expired", Mood.BAD)] * 2


def test_what_debuggers_do_is_told_posted_and_noted_for_the_worker() -> None:
    desk = Desk()
    desk.hearing.worker_mutes("w", ["Debugger attached."])
    desk.hearing.worker_debugs("w", "ws://127.0.0.1:9229/x")
    desk.hearing.worker_halted("w", True)
    desk.hearing.worker_paused("w", "jobs/x.py:12")
    desk.hearing.worker_paused("w", None)
    desk.hearing.worker_halted("w", False)
    assert desk.told == [
        ("w", "muted", "Debugger attached."),
        ("w", "Debugger ws://127.0.0.1:9229/x", Mood.PLAIN),
        ("w", True),
        ("w", "paused", "jobs/x.py:12"),
        ("w", "paused", None),
        ("w", False),
    ]
    assert desk.posted == [Halted("w", True), Halted("w", False)]
