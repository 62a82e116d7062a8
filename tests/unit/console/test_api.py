from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from devbridge.console import model, stage_model
from devbridge.console.api import Api
from devbridge.console.refused import Conflict
from devbridge.runs.model import State

from .stages import Stage


def test_runs_are_asked_for_in_the_thread_that_asks(stage: Stage) -> None:
    api = Api(stage.subject, stage.heard)
    run_id = stage.add()
    assert [row.id for row in api.runs(model.RunsWanted()).runs] == [run_id]
    assert list(api.look([run_id, "f" * 36])) == [run_id]


def test_where_a_debugger_has_stopped_a_run_is_told_with_it(stage: Stage) -> None:
    api = Api(stage.subject, stage.heard)
    stopped, other = stage.add(State.RUNNING), stage.add(State.RUNNING)
    stage.heard.paused[stopped] = "jobs/factorial.py:2"
    found = {row.id: row.paused for row in api.runs(model.RunsWanted()).runs}
    assert found == {stopped: "jobs/factorial.py:2", other: None}
    assert api.run(stopped).run.paused == "jobs/factorial.py:2"
    assert api.look([stopped])[stopped].paused == "jobs/factorial.py:2"


class Switch:
    """A `Debugging`."""

    configurations: Sequence[Mapping[str, Any]] = ()

    def open(self) -> None:
        self.configurations = [{"name": "devbridge: Python"}]


def test_what_runs_here_is_opened_to_debuggers(stage: Stage) -> None:
    api = Api(replace(stage.subject, debugging=Switch()), stage.heard)
    assert api.debugging() == stage_model.Debugging(True, False, [])
    opened = stage_model.Debugging(True, True, [{"name": "devbridge: Python"}])
    assert api.debug(model.Nothing()) == api.debugging() == opened


def test_what_runs_elsewhere_is_not(stage: Stage) -> None:
    api = Api(stage.subject, stage.heard)
    assert api.debugging() == stage_model.Debugging(False, False, [])
    with pytest.raises(Conflict, match="this console runs no jobs"):
        api.debug(model.Nothing())
