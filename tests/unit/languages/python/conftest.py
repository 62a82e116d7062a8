from __future__ import annotations

from tests.packages import install, python, wheel
from tests.unit.types.conftest import add_job, app

__all__ = ["add_job", "app", "install", "python", "wheel"]
