"""Where logs go, once all constructs are made; and what would go round for ever."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from devbridge.constructs import App, Function, Job, OnLog
from devbridge.constructs.app import loading
from devbridge.constructs.load import load_app
from devbridge.constructs.log_targets import LogTargets, log_targets
from devbridge.errors import InvalidValue
from tests.unit.constructs.test_forwarding import LAMBDA, STREAM


def function(app: App, name: str, **options: Any) -> Function:
    return Function(app, name, handler="api/start.handler", **options)


def job(app: App, name: str = "a", **options: Any) -> Job:
    return Job(app, name, handler="jobs/a.handler", **options)


def demo(root: Path, forwarding: str | None = None) -> App:
    with loading(root):
        return App("demo", log_forwarding=forwarding)


def test_an_app_that_says_nothing_forwards_nothing(app: App) -> None:
    job(app)
    function(app, "f")
    assert log_targets(app) == LogTargets({}, None)


def test_what_the_app_says_is_for_all_that_say_nothing(root: Path) -> None:
    app = demo(root, STREAM)
    silent, f = job(app), function(app, "f")
    own, quiet = job(app, "b", log_forwarding=LAMBDA), job(app, "c", log_forwarding=False)
    assert log_targets(app) == LogTargets({silent: STREAM, f: STREAM, own: LAMBDA}, STREAM)
    assert quiet.log_forwarding is False


def test_a_function_is_named_before_it_is_made(root: Path) -> None:
    app = demo(root, "collect")
    first = job(app, log_forwarding="collect")
    collect, other = function(app, "collect"), function(app, "other")
    assert log_targets(app) == LogTargets({first: collect, other: collect}, collect)


def test_a_name_that_nothing_has_is_refused_where_it_was_written(root: Path) -> None:
    app = demo(root, "colect")
    function(app, "collect")
    with pytest.raises(InvalidValue, match=r"no Function .* did you mean 'collect'\?") as caught:
        log_targets(app)
    assert "there are: collect" in str(caught.value)
    assert f"{app.where}, App" in str(caught.value)


def test_a_job_is_no_function_to_forward_to(app: App) -> None:
    asked = job(app, log_forwarding="b")
    job(app, "b")
    with pytest.raises(InvalidValue, match="make one: Function") as caught:
        log_targets(app)
    assert str(asked.where) in str(caught.value)


def test_a_function_does_not_forward_to_itself(app: App) -> None:
    function(app, "f", log_forwarding="f")
    with pytest.raises(InvalidValue, match="Function 'f' -> Function 'f': each line"):
        log_targets(app)


def test_two_functions_do_not_forward_to_each_other(app: App) -> None:
    job(app, log_forwarding="f")
    function(app, "f", log_forwarding="g")
    function(app, "g", log_forwarding="f")
    with pytest.raises(InvalidValue, match="'f' -> Function 'g' -> Function 'f'"):
        log_targets(app)


def test_the_apps_target_does_not_forward_to_who_forwards_to_it(root: Path) -> None:
    app = demo(root, "f")
    function(app, "f", log_forwarding="g")
    function(app, "g")
    with pytest.raises(InvalidValue, match="leads back to it"):
        log_targets(app)


def test_the_apps_target_may_forward_elsewhere(root: Path) -> None:
    app = demo(root, "f")
    f, g = function(app, "f", log_forwarding=STREAM), function(app, "g")
    assert log_targets(app).of == {f: STREAM, g: f}


def test_loading_an_app_refuses_what_goes_round(root: Path) -> None:
    (root / "app.py").write_text(
        "from devbridge import App, Function\n\napp = App('demo')\n"
        "Function(app, 'f', handler='api/start.handler', log_forwarding='f')\n"
    )
    with pytest.raises(InvalidValue, match=r"(?s)leads back.*app\.py:4"):
        load_app(root)


def test_a_log_group_has_two_filters_whoever_they_are_of(root: Path) -> None:
    app = demo(root, STREAM)
    speak = function(app, "speak")
    quiet = job(app, "quiet", log_forwarding=False)
    job(app, "one", triggers=[OnLog(speak, "ERROR"), OnLog(quiet, name="all")])
    job(app, "two", triggers=[OnLog(quiet)])
    log_targets(app)
    job(app, "three", triggers=[OnLog(speak, "WARN")])
    with pytest.raises(InvalidValue, match="Function 'speak': 3 listen to its log") as caught:
        log_targets(app)
    assert "OnLog of Job 'one', OnLog of Job 'three', log_forwarding" in str(caught.value)


def test_a_job_that_listens_three_times_to_one_log_is_refused(app: App) -> None:
    speak = function(app, "speak")
    job(app, triggers=[OnLog(speak, each, name=each) for each in ("A", "B", "C")])
    with pytest.raises(InvalidValue, match="AWS allows a log group 2"):
        log_targets(app)


def test_the_logs_that_functions_listen_to_are_counted_too(app: App) -> None:
    speak = function(app, "speak", log_forwarding=STREAM)
    for name in ("one", "two"):
        function(app, name, triggers=[OnLog(speak)])
    with pytest.raises(InvalidValue, match="Function 'speak': 3 listen to its log") as caught:
        log_targets(app)
    assert "OnLog of Function 'one', OnLog of Function 'two', log_forwarding" in str(caught.value)


@pytest.mark.parametrize("make", [function, job])
def test_what_listens_to_a_log_does_not_forward_its_own_there(app: App, make: Any) -> None:
    f = function(app, "f")
    make(app, "g", triggers=[OnLog(f)], log_forwarding="f")
    with pytest.raises(InvalidValue, match=r"Function 'f' -> .* 'g': each line"):
        log_targets(app)


def test_what_surely_ends_may_listen_and_forward(app: App) -> None:
    f = function(app, "f")
    g = function(app, "g", triggers=[OnLog(f, "ERROR", loop=True)], log_forwarding="f")
    assert log_targets(app).of == {g: f}


def test_a_jobs_invoker_does_not_log_to_what_it_listens_to(root: Path) -> None:
    app = demo(root, "f")
    job(app, "g", triggers=[OnLog(function(app, "f"))], log_forwarding=False)
    with pytest.raises(InvalidValue, match=r"'f' -> Job 'g' -> Function 'f'"):
        log_targets(app)
