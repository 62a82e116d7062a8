"""ministack is not in this interpreter: a test puts modules of its own in its place."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

MakeModule = Callable[..., Any]


@pytest.fixture
def ministack(monkeypatch: pytest.MonkeyPatch) -> MakeModule:
    """Makes a module of ministack with those members, by its name within it."""
    monkeypatch.setitem(sys.modules, "ministack", ModuleType("ministack"))

    def make(name: str, **members: Any) -> Any:
        parts = f"ministack.{name}".split(".")
        for end in range(2, len(parts)):
            parent = ".".join(parts[:end])
            if parent not in sys.modules:
                monkeypatch.setitem(sys.modules, parent, ModuleType(parent))
        full = ".".join(parts)
        module = sys.modules.get(full)
        if module is None:
            module = ModuleType(full)
            monkeypatch.setitem(sys.modules, full, module)
        vars(module).update(members)
        return module

    return make
