"""Fixtures of the tests that run commands as users do."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from devbridge.emulator.ports import free_port
from tests.e2e.dev_process import processes_of, run
from tests.e2e.examples import EXAMPLES, NOT_THE_APP
from tests.e2e.readme import Terminal


@pytest.fixture
def terminal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Terminal]:
    """A terminal in a copy of the example that is the parameter."""
    folder = tmp_path / request.param
    shutil.copytree(EXAMPLES / request.param, folder, ignore=shutil.ignore_patterns(*NOT_THE_APP))
    try:
        ports = {rf"\b{port}\b": str(free_port()) for port in (3000, 4566)}
        yield Terminal(folder, replaced=ports)
    finally:
        run(folder, "cloud", "stop")
    assert processes_of(folder) == []
