from __future__ import annotations

import datetime
import json
from typing import Any

import pytest

from devbridge.runs.base import RunRecord
from devbridge.runs.builds import Build, interpret, is_build_id
from devbridge.runs.model import State
from runner.outcome import Failure
from tests.unit.codebuild import PROJECT

UUID = "0b1c2d3e-0000-4000-8000-000000000001"
BUILD = f"{PROJECT}:{UUID}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (BUILD, True),
        (UUID, False),
        (f"{PROJECT}:{UUID[:-1]}", False),
        (f"{PROJECT}/..:{UUID}", False),
        ("", False),
        (None, False),
    ],
)
def test_the_form_of_a_builds_id(text: object, expected: bool) -> None:
    assert is_build_id(text) is expected


# --- what a build says of its run ---------------------------------------------------------------


def a_build(status: str = "IN_PROGRESS", phase: str = "BUILD", **more: Any) -> dict[str, Any]:
    variables = {
        "DEVBRIDGE_JOB_NAME": "factorial",
        "DEVBRIDGE_HANDLER": "a.handler",
        "DEVBRIDGE_ATTEMPTS": "3",
    }
    return {
        "id": BUILD,
        "buildStatus": status,
        "currentPhase": phase,
        "environment": {
            "environmentVariables": [{"name": k, "value": v} for k, v in variables.items()]
        },
        **more,
    }


def exported(**values: str) -> list[dict[str, str]]:
    return [{"name": f"DEVBRIDGE_{name}", "value": value} for name, value in values.items()]


def a_phase(kind: str, status: str, message: str = "", code: str = "") -> dict[str, Any]:
    contexts = [{"statusCode": code, "message": message}]
    return {"phaseType": kind, "phaseStatus": status, "startTime": 5.0, "contexts": contexts}


@pytest.mark.parametrize(
    ("phase", "state"),
    [
        (None, "QUEUED"),
        ("SUBMITTED", "QUEUED"),
        ("QUEUED", "QUEUED"),
        ("PROVISIONING", "STARTING"),
        ("DOWNLOAD_SOURCE", "STARTING"),
        ("INSTALL", "STARTING"),
        ("PRE_BUILD", "STARTING"),
        ("BUILD", "RUNNING"),
        ("POST_BUILD", "RUNNING"),
        ("FINALIZING", "RUNNING"),
        ("COMPLETED", "RUNNING"),
    ],
)
def test_the_phase_of_a_build_is_the_state_of_its_run(phase: Any, state: str) -> None:
    run = interpret(a_build(phase=phase))
    assert (run.record.state, run.record.state.final) == (state, False)


def test_a_run_that_has_succeeded_has_its_result_and_its_times() -> None:
    build = a_build(
        "SUCCEEDED",
        "COMPLETED",
        startTime=1.0,
        endTime=9.0,
        phases=[a_phase("BUILD", "SUCCEEDED")],
        exportedEnvironmentVariables=exported(STATE="SUCCEEDED", RESULT="[0]", ATTEMPT="2"),
        logs={"groupName": "g", "streamName": "s"},
    )
    assert interpret(build) == Build(
        RunRecord(
            job_id=BUILD,
            job="factorial",
            state=State.SUCCEEDED,
            created_at=1.0,
            started_at=5.0,
            ended_at=9.0,
            attempt=2,
            max_attempts=3,
            result=b"[0]",
            log="g/s",
            closed=True,
        ),
        log_group="g",
        log_stream="s",
    )


def test_a_container_that_has_succeeded_has_a_result_of_null() -> None:
    assert interpret(a_build("SUCCEEDED")).record.result == b"null"


@pytest.mark.parametrize("state", ["FAILED", "TIMED_OUT", "CRASHED"])
def test_how_the_handler_has_ended_is_in_the_exported_variables(state: str) -> None:
    error = json.dumps({"type": "KeyError", "message": "'ü'"})
    variables = exported(STATE=state, ERROR=error, ATTEMPT="3")
    run = interpret(a_build("FAILED", exportedEnvironmentVariables=variables)).record
    assert (run.state, run.failure) == (state, Failure("KeyError", "'ü'"))
    assert (run.attempt, run.result) == (3, None)


def test_a_run_begins_with_its_first_attempt_not_with_its_wait_for_its_turn() -> None:
    told = exported(STATE="FAILED", STARTED="7.250")
    phases = [a_phase("BUILD", "FAILED")]
    assert interpret(
        a_build("FAILED", phases=phases, exportedEnvironmentVariables=told)
    ).record.started_at == pytest.approx(7.25)
    assert interpret(a_build("FAILED", phases=phases)).record.started_at == pytest.approx(5)


def test_a_stopped_build_does_not_say_which_attempt_was_the_last() -> None:
    assert interpret(a_build("STOPPED")).record.attempt == 0
    assert interpret(a_build()).record.attempt == 1
    only = a_build("STOPPED")
    only["environment"]["environmentVariables"].pop()  # DEVBRIDGE_ATTEMPTS
    assert interpret(only).record.attempt == 1


def test_a_run_that_was_terminated_in_a_build_that_nobody_stopped_says_so() -> None:
    error = json.dumps({"type": "Terminated", "message": "SIGTERM"})
    told = exported(STATE="CANCELLED", ERROR=error)
    run = interpret(a_build("FAILED", exportedEnvironmentVariables=told)).record
    assert (run.state, run.failure) == ("CANCELLED", Failure("Terminated", "SIGTERM"))


def test_a_run_that_took_too_long_need_not_have_an_error() -> None:
    variables = exported(STATE="TIMED_OUT", ATTEMPT="1")
    run = interpret(a_build("FAILED", exportedEnvironmentVariables=variables)).record
    assert (run.state, run.failure) == ("TIMED_OUT", None)


@pytest.mark.parametrize(
    ("build", "state", "error_type", "message"),
    [
        (a_build("STOPPED"), "CANCELLED", None, None),
        (a_build("TIMED_OUT", phases=[a_phase("BUILD", "TIMED_OUT")]), "TIMED_OUT", None, None),
        (
            a_build("TIMED_OUT", phases=[a_phase("QUEUED", "TIMED_OUT")]),
            "TIMED_OUT",
            "BuildTimedOut",
            "the build has timed out in phase QUEUED",
        ),
        (
            a_build("FAILED", phases=[a_phase("PROVISIONING", "FAILED", "no image", "IMAGE_PULL")]),
            "CRASHED",
            "BuildFailed",
            "the build has ended FAILED in phase PROVISIONING: IMAGE_PULL no image",
        ),
        (
            a_build("FAULT", phases=[a_phase("BUILD", "FAULT")]),
            "CRASHED",
            "BuildFailed",
            "the build has ended FAULT in phase BUILD",
        ),
        (
            a_build("FAILED", "COMPLETED"),
            "CRASHED",
            "BuildFailed",
            "the build has ended FAILED in phase COMPLETED",
        ),
        (
            {
                **a_build(
                    "FAILED",
                    phases=[
                        a_phase(
                            "BUILD",
                            "FAILED",
                            "Error while executing command: x. Reason: exit status 3",
                            "COMMAND_EXECUTION_ERROR",
                        )
                    ],
                ),
                "environment": {"environmentVariables": []},
            },
            "FAILED",
            "CommandFailed",
            "the command exited with code 3",
        ),
    ],
)
def test_an_end_without_the_runners_word_is_told_as_what_it_was(
    build: dict[str, Any], state: str, error_type: str | None, message: str | None
) -> None:
    run = interpret(build).record
    failure = error_type and Failure(error_type, message or "")
    assert (run.state, run.failure) == (state, failure)
    assert (run.state.final, run.closed) == (True, True)


@pytest.mark.parametrize(("phase", "container"), [("BUILD", False), ("INSTALL", True)])
def test_only_the_exit_of_a_containers_own_command_is_the_runs(phase: str, container: bool) -> None:
    build = a_build("FAILED", phases=[a_phase(phase, "FAILED", "exit status 3")])
    if container:
        build["environment"]["environmentVariables"] = []
    run = interpret(build).record
    assert run.state is State.CRASHED
    assert run.failure is not None
    assert run.failure.type == "BuildFailed"


def test_what_is_too_large_for_a_build_is_told_by_its_place() -> None:
    told = exported(STATE="SUCCEEDED", RESULT="@results/r.json")
    build = interpret(a_build("SUCCEEDED", exportedEnvironmentVariables=told))
    assert (build.record.result, build.result_at) == (None, "results/r.json")
    told = exported(STATE="FAILED", ERROR=json.dumps({"type": "E", "at": "results/e.json"}))
    failed = interpret(a_build("FAILED", exportedEnvironmentVariables=told))
    assert failed.error_at == "results/e.json"
    assert failed.record.failure == Failure(
        "E", "its message is in S3, `devbridge status` shows it"
    )


def test_times_come_as_numbers_or_as_moments() -> None:
    moment = datetime.datetime.fromtimestamp(7.5, tz=datetime.UTC)
    assert interpret(a_build(startTime=moment)).record.created_at == pytest.approx(7.5)
    assert interpret(a_build(startTime=7.5)).record.created_at == pytest.approx(7.5)


def test_a_build_that_was_started_by_hand_does_not_say_its_job() -> None:
    assert interpret({**a_build(), "environment": {}}).record.job == ""
