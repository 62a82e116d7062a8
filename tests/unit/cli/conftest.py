from __future__ import annotations

from pathlib import Path

import pytest

from devbridge.cli import deploying
from devbridge.config import Config, load_config


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """The configuration of an app in the current folder, at stage `ann`, never run before."""
    root = tmp_path / "app"
    root.mkdir()
    (root / "app.py").write_text('from devbridge import App\n\napp = App("demo")\n')
    monkeypatch.chdir(root)
    monkeypatch.setenv("DEVBRIDGE_STAGE", "ann")
    config = load_config()
    config.make_dirs()
    return config


@pytest.fixture(autouse=True)
def nothing_was_said_before() -> None:
    deploying.warn_once.cache_clear()
