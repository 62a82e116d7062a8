from __future__ import annotations

import json

import pytest

from devbridge.runs.model import CodeSpec, FunctionSpec, JobSpec, State, function_key
from runner import outcome


def test_a_state_is_its_name_for_programs() -> None:
    assert json.dumps(State.TIMED_OUT) == '"TIMED_OUT"'
    assert f"{State.QUEUED}" == "QUEUED"
    assert State("FAILED") is State.FAILED


def test_a_run_has_ended_in_the_states_that_the_runner_ends_in() -> None:
    assert {state for state in State if state.final} == set(outcome.ENDED)
    assert {state for state in State if not state.final} == {outcome.SCHEDULED, *outcome.LIVE}


def test_a_job_and_a_function_of_one_name_have_two_keys() -> None:
    job = JobSpec("a", "a.handler", 60, 3072, "arn", {})
    function = FunctionSpec("a", "a.handler", 60, 512, "arn", {})
    assert (job.key, function.key, function_key("a")) == ("a", "a()", "a()")
    with pytest.raises(NotImplementedError):
        _ = CodeSpec("a", "a.handler", 60, 512, "arn", {}).key
