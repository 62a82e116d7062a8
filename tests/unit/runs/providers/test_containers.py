from __future__ import annotations

import pytest

from devbridge.runs.model import State
from devbridge.runs.providers.containers import ended, gone, uuid_of

UUID = "0b1c2d3e-0000-4000-8000-000000000001"


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("Host EC2 (instance i-1) terminated.", True),
        ("Your Spot Task was interrupted.", True),
        ("Task retirement: scheduled maintenance", True),
        ("Essential container in task exited", False),
        ("", False),
    ],
)
def test_a_reason_says_whether_the_machine_has_gone(reason: str, expected: bool) -> None:
    assert gone(reason) is expected


@pytest.mark.parametrize(
    ("code", "reason", "state", "kind"),
    [
        (1, "", State.FAILED, "CommandFailed"),
        (75, "", State.FAILED, "CommandFailed"),
        (137, "", State.CRASHED, "Killed"),
        (137, "OutOfMemoryError: x", State.CRASHED, "OutOfMemory"),
        (143, "", State.CRASHED, "Killed"),
        (None, "", State.CRASHED, "NotStarted"),
        (None, "CannotPullContainerError: x", State.CRASHED, "CannotPullContainerError"),
        (1, "CannotPullContainerError: of another image", State.FAILED, "CommandFailed"),
    ],
)
def test_a_container_ends_by_its_exit_code_or_for_a_reason(
    code: int | None, reason: str, state: State, kind: str
) -> None:
    found, failure, infrastructure = ended(code, reason, gone=False)
    assert (found, failure and failure.type, infrastructure) == (state, kind, False)


def test_a_machine_that_has_gone_may_say_nothing() -> None:
    state, failure, infrastructure = ended(None, "", gone=True)
    assert (state, infrastructure) == (State.CRASHED, True)
    assert failure is not None
    assert failure.message == "the machine has gone"


@pytest.mark.parametrize(
    ("token", "uuid"), [(UUID, UUID), (f"{UUID}-3", UUID), ("ecs-svc/1", ""), ("", ""), (None, "")]
)
def test_a_task_is_a_runs_by_its_name(token: object, uuid: str) -> None:
    assert uuid_of(token) == uuid
