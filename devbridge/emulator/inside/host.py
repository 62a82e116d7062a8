"""The modules of ministack, which is there only where this package runs for real."""

from __future__ import annotations

import importlib
from typing import Any


def ministack(name: str) -> Any:
    """One of its modules, by its name within it: ``services.sts``."""
    return importlib.import_module(f"ministack.{name}")
