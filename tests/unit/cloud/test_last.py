from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from devbridge.cloud.last import remember, was_local
from devbridge.config import Config


@pytest.fixture
def config(
    make_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Config:
    monkeypatch.setenv("DEVBRIDGE_CACHE_DIR", str(tmp_path / "cache"))
    return make_config()


def test_a_stage_was_local_until_it_is_on_aws(config: Config) -> None:
    assert not was_local(config)
    remember(config, local=True)
    assert was_local(config)
    remember(config, local=False)
    remember(config, local=False)
    assert not was_local(config)


def test_other_stages_and_other_folders_have_their_own_cloud(
    config: Config, tmp_path: Path
) -> None:
    remember(config, local=True)
    assert not was_local(replace(config, stage="other"))
    assert not was_local(replace(config, root=tmp_path / "elsewhere"))


def test_without_a_cache_nothing_is_noted_and_nothing_fails(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEVBRIDGE_CACHE_DIR", "/dev/null/x")
    remember(config, local=True)
    assert not was_local(config)
    remember(config, local=False)


def test_the_note_is_the_users_alone(config: Config, tmp_path: Path) -> None:
    remember(config, local=True)
    (note,) = (tmp_path / "cache" / "local").iterdir()
    assert note.stat().st_mode & 0o077 == 0
    assert note.read_text() == f"{config.root}\n{config.stage}\n"
