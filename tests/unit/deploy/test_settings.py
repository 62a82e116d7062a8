from __future__ import annotations

import sys
from pathlib import Path

from devbridge.deploy.settings import version_of


def test_another_interpreters_version_is_asked_for(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.symlink_to(sys.executable)
    assert version_of(python) == version_of(Path(sys.executable))
