from __future__ import annotations

import json
from typing import Any
from unittest.mock import Mock

from devbridge.daemon.narrator import Narrator
from devbridge.daemon.pool.events import Answered, Halted, NotLoaded, Ready
from devbridge.daemon.pool.faults import Fault
from devbridge.daemon.pool.hearing import FunctionWorker, Hearing
from devbridge.daemon.told import Who
from devbridge.workers.modules import Modules
from runner.invocation import RESULT_TOO_LARGE
from runner.outcome import Failure

MODULES = Modules(user_files=frozenset(), third_party=())


class Desk:
    def __init__(self, *, stale: bool = False, wrong: bool = False) -> None:
        self.worker = FunctionWorker("w", "api", 1.0)
        self.launcher, self.reload = Mock(), Mock()
        self.launcher.reported.return_value = wrong
        self.reload.imported.return_value = stale
        self.posted: list[Any] = []
        self.hearing = Hearing(
            lambda worker_id: self.worker if worker_id == "w" else None,
            self.launcher,
            self.reload,
            Narrator(),
            post=self.posted.append,
        )


def test_its_words_are_those_of_a_function() -> None:
    assert FunctionWorker("w", "api", 1.0).who == Who("w", "api", "", function=True)


def test_what_workers_tell_of_their_requests_is_posted() -> None:
    desk = Desk()
    desk.hearing.worker_ready("w")
    desk.hearing.worker_responded("w", "id", b"1")
    desk.hearing.worker_failed("w", "id", Failure("E", "m"))
    desk.hearing.worker_init_failed("w", Failure("E", "m"))
    desk.hearing.worker_halted("w", True)
    kinds = [Ready, Answered, Answered, NotLoaded, Halted]
    assert [type(each) for each in desk.posted] == kinds
    assert desk.posted[1] == Answered("w", b"1")


def test_an_answer_over_the_limit_is_lambdas_error() -> None:
    desk = Desk()
    desk.hearing.worker_failed("w", "id", RESULT_TOO_LARGE)
    (told,) = desk.posted
    assert isinstance(told.answer, Fault)
    assert json.loads(told.answer.document)["errorType"] == "Function.ResponseSizeTooLarge"


def test_modules_are_told_to_hot_reload_and_to_the_launcher() -> None:
    desk = Desk()
    desk.hearing.worker_modules("w", MODULES)
    desk.hearing.worker_modules("gone", MODULES)
    desk.reload.imported.assert_called_once_with("api()", MODULES, 1.0)
    desk.launcher.reported.assert_called_once_with("api()", MODULES)
    desk.reload.renew.assert_not_called()


def test_a_worker_that_holds_what_no_request_may_get_is_replaced() -> None:
    for desk in (Desk(stale=True), Desk(wrong=True)):
        desk.hearing.worker_modules("w", MODULES)
        desk.reload.renew.assert_called_once_with("api()")


def test_what_only_runs_of_jobs_have_is_nothing_here() -> None:
    desk = Desk()
    desk.hearing.worker_reached("w", "id", b"1")
    desk.hearing.worker_lingers("w", ["thread"])
    assert desk.posted == []
