from __future__ import annotations

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
from devbridge.daemon.narrator import Narrator
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
            self.workers.get,
            there,
            there,
            there,
            Narrator(),
            post=self.posted.append,
            reached=lambda *what: self.reached.append(what),
        )

    def enter(self, worker_id: str, job_id: str = "") -> None:
        self.workers[worker_id] = SimpleNamespace(job="a", job_id=job_id, launched_at=5.0)

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
    desk.hearing.worker_halted("w", True)
    assert desk.posted == [
        StandbyReady("w"),
        Responded("w", "r", b"1"),
        Raised("w", "r", FAILURE),
        Lingers("w", ("its thread",)),
        StandbyFailed("w", FAILURE),
        Halted("w", True),
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
    assert desk.told == []
