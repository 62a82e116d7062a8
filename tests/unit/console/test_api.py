from __future__ import annotations

from devbridge.console import model
from devbridge.console.api import Api

from .stages import Stage


def test_runs_are_asked_for_in_the_thread_that_asks(stage: Stage) -> None:
    api = Api(stage.subject, stage.heard)
    run_id = stage.add()
    assert [row.id for row in api.runs(model.RunsWanted()).runs] == [run_id]
    assert list(api.look([run_id, "f" * 36])) == [run_id]
