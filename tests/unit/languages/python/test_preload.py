from __future__ import annotations

from pathlib import Path

import pytest

from devbridge.languages.python import preload


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import boto3", ["boto3"]),
        ("from botocore.config import Config", ["boto3"]),
        ("import json", []),
    ],
)
def test_the_sdk_is_preloaded_for_handlers_that_speak_of_it(
    tmp_path: Path, code: str, expected: list[str]
) -> None:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs/a.py").write_text(code)
    assert preload.names(tmp_path, ["jobs/a.handler", "jobs/missing.handler"], []) == expected


def test_what_the_app_vouches_for_comes_after_the_sdk_and_once(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("import boto3")
    assert preload.names(tmp_path, ["a.handler"], ["pandas", "boto3"]) == ["boto3", "pandas"]
