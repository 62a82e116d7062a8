"""The modules of ministack, which is there only where this package runs for real."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any


def ministack(name: str) -> Any:
    """One of its modules, by its name within it: ``services.sts``."""
    return importlib.import_module(f"ministack.{name}")


def before(module: Any, name: str, call: Callable[[], object]) -> None:
    """Have that called before each call of a function of a module."""
    function = getattr(module, name)

    def called(*arguments: Any) -> Any:
        call()
        return function(*arguments)

    setattr(module, name, called)
