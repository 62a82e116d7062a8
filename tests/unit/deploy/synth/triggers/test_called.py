"""What AWS calls for a trigger."""

from __future__ import annotations

from devbridge.constructs import App, Function
from devbridge.deploy.synth.stack import Settings
from devbridge.deploy.synth.triggers.called import called, is_there, what
from devbridge.names import Mode
from tests.unit.deploy.synth.triggers.test_queues import app, job

__all__ = ["app"]


def test_of_a_job_it_is_the_invoker_and_of_a_function_itself(app: App) -> None:
    function = Function(app, "see", handler="api/start.handler")
    assert (called(one := job(app)), called(function)) == ("AJobInvoker", "SeeFunction")
    assert (what(one), what(function)) == ("starts job a", "calls function see")


def settings(mode: Mode) -> Settings:
    return Settings("ann", "arn:x", "iot", "3.11", mode)


def test_a_function_is_always_there_and_a_live_job_is_not(app: App) -> None:
    function, live = Function(app, "see", handler="api/start.handler"), job(app)
    assert is_there(function, settings("dev"))
    assert not is_there(live, settings("dev"))
    assert is_there(live, settings("deployed"))
