from __future__ import annotations

import json

from devbridge.runs.model import State
from runner import outcome


def test_a_state_is_its_name_for_programs() -> None:
    assert json.dumps(State.TIMED_OUT) == '"TIMED_OUT"'
    assert f"{State.QUEUED}" == "QUEUED"
    assert State("FAILED") is State.FAILED


def test_a_run_has_ended_in_the_states_that_the_runner_ends_in() -> None:
    assert {state for state in State if state.final} == set(outcome.ENDED)
    assert {state for state in State if not state.final} == {outcome.SCHEDULED, *outcome.LIVE}
