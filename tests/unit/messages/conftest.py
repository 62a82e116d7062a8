from __future__ import annotations

from pathlib import Path

import pytest

from devbridge.constructs import App
from tests.unit.messages.apps import others, shop


@pytest.fixture
def app(tmp_path: Path) -> App:
    return shop(tmp_path)


@pytest.fixture
def unqueued(tmp_path: Path) -> App:
    """An app whose triggers' records wait in no queue."""
    return others(tmp_path)
