"""The units of `runner/node`, whose tests are written in JavaScript: node's own test runner."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.node import NODE

HERE = Path(__file__).parent / "node"
FILES = sorted(HERE.glob("*.test.mjs"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_units_in_javascript(file: Path) -> None:
    command = [NODE, "--test", "--test-reporter=tap", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# pass 0" not in done.stdout
