from __future__ import annotations

from tests.packages import install, python, wheel

__all__ = ["install", "python", "wheel"]
