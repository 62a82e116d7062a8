from __future__ import annotations

import pytest

from devbridge.emulator.inside.gate.access import function_keys

FUNCTION = "arn:aws:lambda:eu-west-1:1:function:f"
ROLE = "arn:aws:iam::1:role/r"


def test_a_functions_keys_are_the_same_as_long_as_the_clouds_secret_is() -> None:
    keys = function_keys("secret", FUNCTION, ROLE)
    assert keys == function_keys("secret", FUNCTION, ROLE)
    assert keys["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    assert len(keys["AWS_ACCESS_KEY_ID"]) == 20
    assert len(set(keys.values())) == 3


@pytest.mark.parametrize(
    "other",
    [("other", FUNCTION, ROLE), ("secret", f"{FUNCTION}2", ROLE), ("secret", FUNCTION, f"{ROLE}2")],
)
def test_who_does_not_know_all_of_it_computes_others(other: tuple[str, str, str]) -> None:
    keys, others = function_keys("secret", FUNCTION, ROLE), function_keys(*other)
    assert not set(keys.values()) & set(others.values())
