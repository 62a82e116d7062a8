"""A ledger, and how tests write it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from devbridge.runs.ledger import Ledger


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    with Ledger.open(path) as opened:
        yield opened
