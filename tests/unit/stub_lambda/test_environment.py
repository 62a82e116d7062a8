from __future__ import annotations

from dataclasses import replace

import pytest

from devbridge.errors import DevbridgeError
from stub_lambda.environment import Placement, required


def test_without_a_project_the_job_is_not_deployed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEVBRIDGE_PROJECT", raising=False)
    assert Placement.from_environment() is None
    monkeypatch.setenv("DEVBRIDGE_PROJECT", "")
    assert Placement.from_environment() is None


def test_a_placement_has_its_bucket_and_what_its_payloads_need(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DEVBRIDGE_PROJECT", "p")
    with pytest.raises(DevbridgeError, match="DEVBRIDGE_BUCKET is missing"):
        Placement.from_environment()
    monkeypatch.setenv("DEVBRIDGE_BUCKET", "b")
    plain = Placement("p", "b", place={"project": "p"})
    assert Placement.from_environment() == plain
    monkeypatch.setenv("DEVBRIDGE_CONTAINER", "1")
    assert Placement.from_environment() == replace(plain, container=True)
    monkeypatch.setenv("DEVBRIDGE_CONTAINER", "")
    monkeypatch.setenv("DEVBRIDGE_INLINE", "1")
    monkeypatch.setenv("DEVBRIDGE_KEY", "arn:key")
    assert Placement.from_environment() == replace(plain, inline=True, key="arn:key")
    monkeypatch.setenv("DEVBRIDGE_KEY", "")
    assert Placement.from_environment() == replace(plain, inline=True)


def test_a_placement_says_what_runs_the_job_and_how_many_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = {
        "PROJECT": "p",
        "BUCKET": "b",
        "COMPUTE": "batch",
        "PLACE": '{"queue": "q", "definition": "d"}',
        "ATTEMPTS": "3",
        "CONCURRENCY": "2",
        "TURNS": "demo_prod_turns",
    }
    for name, value in given.items():
        monkeypatch.setenv(f"DEVBRIDGE_{name}", value)
    place = {"queue": "q", "definition": "d"}
    found = Placement.from_environment()
    expected = Placement("p", "b", "batch", place, 3, concurrency=2, turns="demo_prod_turns")
    assert found == expected
    assert hash(found) == hash(expected)


@pytest.mark.parametrize("value", [None, ""])
def test_a_variable_that_is_missing_or_empty_is_named(
    monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    monkeypatch.delenv("DEVBRIDGE_X", raising=False)
    if value is not None:
        monkeypatch.setenv("DEVBRIDGE_X", value)
    with pytest.raises(DevbridgeError, match=r"DEVBRIDGE_X is missing\n.*deploy the stage again"):
        required("DEVBRIDGE_X")
    monkeypatch.setenv("DEVBRIDGE_X", "x")
    assert required("DEVBRIDGE_X") == "x"
