from __future__ import annotations

from pathlib import Path

import pytest

from devbridge.daemon.preload import Preload


def test_what_was_learned_is_there_after_a_restart_in_order_and_private(tmp_path: Path) -> None:
    path = tmp_path / "preload.json"
    assert Preload(path).learn(["boto3", "botocore"])
    again = Preload(path)
    assert again.learn(["botocore", "numpy"])
    assert Preload(path).names == ["boto3", "botocore", "numpy"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_nothing_new_is_nothing_to_do(tmp_path: Path) -> None:
    preload = Preload(tmp_path / "preload.json")
    preload.learn(["boto3"])
    assert not preload.learn(["boto3"])


@pytest.mark.parametrize("text", ["", "{", "5", '[1, "boto3", null]'])
def test_a_damaged_file_costs_only_warmth(tmp_path: Path, text: str) -> None:
    path = tmp_path / "preload.json"
    path.write_text(text)
    assert Preload(path).names in ([], ["boto3"])
