from __future__ import annotations

from pathlib import Path

import pytest

from devbridge.constructs import App
from tests.unit.messages.apps import shop


@pytest.fixture
def app(tmp_path: Path) -> App:
    return shop(tmp_path)
