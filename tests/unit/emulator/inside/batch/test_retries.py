from __future__ import annotations

from typing import Any

import pytest

from devbridge.emulator.inside.batch.retries import End, again

HOST = End("Host EC2 (instance i-0) terminated.")
EXIT_4 = End("Essential container in task exited", 4)
PULL = End("Task failed to start", reason="CannotPullContainerError: x")


def condition(action: str = "RETRY", **patterns: str) -> dict[str, str]:
    return {"action": action, **patterns}


@pytest.mark.parametrize(
    ("end", "conditions", "retried"),
    [
        (EXIT_4, [], True),
        (EXIT_4, [condition("EXIT", onReason="*")], False),
        (EXIT_4, [condition("EXIT", onExitCode="5")], True),
        (EXIT_4, [condition(onExitCode="4"), condition("EXIT", onReason="*")], True),
        (EXIT_4, [condition("exit", onExitCode="4*")], False),
        (EXIT_4, [condition("EXIT", onExitCode="4", onReason="OutOfMemory*")], True),
        (HOST, [condition(onStatusReason="host ec2*"), condition("EXIT", onReason="*")], True),
        (HOST, [condition("EXIT", onExitCode="*")], False),
        (HOST, [condition("EXIT", onStatusReason="Host EC2")], True),
        (PULL, [condition("EXIT", onReason="cannotpull*")], False),
        (End("x", 0), [condition(onReason="*")], False),
        (End("x", 0, final=True), [condition(onReason="*")], False),
    ],
)
def test_the_first_condition_that_fits_decides_and_none_is_a_retry(
    end: End, conditions: Any, retried: bool
) -> None:
    assert again({"attempts": 2, "evaluateOnExit": conditions}, 1, end) is retried
    assert not again({"attempts": 2, "evaluateOnExit": conditions}, 2, end)


def test_one_attempt_is_all_that_a_job_has_where_nothing_is_said() -> None:
    assert not again({}, 1, EXIT_4)


def test_only_an_exit_of_its_own_is_a_success() -> None:
    assert End("x", 0).succeeded
    assert not End("timeout", 0, final=True).succeeded
    assert not HOST.succeeded
