from __future__ import annotations

import pytest

from devbridge.errors import DevbridgeError
from stub_lambda.environment import Project, required


def test_without_a_project_the_job_is_not_deployed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEVBRIDGE_PROJECT", raising=False)
    assert Project.from_environment() is None
    monkeypatch.setenv("DEVBRIDGE_PROJECT", "")
    assert Project.from_environment() is None


def test_a_project_has_its_bucket_and_what_its_payloads_need(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DEVBRIDGE_PROJECT", "p")
    with pytest.raises(DevbridgeError, match="DEVBRIDGE_BUCKET is missing"):
        Project.from_environment()
    monkeypatch.setenv("DEVBRIDGE_BUCKET", "b")
    assert Project.from_environment() == Project("p", "b")
    monkeypatch.setenv("DEVBRIDGE_CONTAINER", "1")
    assert Project.from_environment() == Project("p", "b", container=True)
    monkeypatch.setenv("DEVBRIDGE_CONTAINER", "")
    monkeypatch.setenv("DEVBRIDGE_INLINE", "1")
    monkeypatch.setenv("DEVBRIDGE_KEY", "arn:key")
    assert Project.from_environment() == Project("p", "b", inline=True, key="arn:key")
    monkeypatch.setenv("DEVBRIDGE_KEY", "")
    assert Project.from_environment() == Project("p", "b", inline=True)


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
