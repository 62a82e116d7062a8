from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from devbridge.constructs import App
from devbridge.constructs.app import loading


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "a.py").write_text("def handler(payload): ...\n")
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / "start.py").write_text("def handler(event, context): ...\nget = handler\n")
    return tmp_path


@pytest.fixture
def app(root: Path) -> Iterator[App]:
    with loading(root):
        yield App("demo")
