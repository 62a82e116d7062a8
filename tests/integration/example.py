"""An example's own modules in this process, with moto for its cloud."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

EXAMPLES = Path(__file__).parents[2] / "examples"


@contextmanager
def modules_of(example: Path) -> Iterator[Callable[[str], ModuleType]]:
    """What imports a module of an example: ``load("api.start")``. Nothing of it is left."""
    before = set(sys.modules)
    sys.path.insert(0, str(example))
    try:
        yield importlib.import_module
    finally:
        sys.path.remove(str(example))
        for name in set(sys.modules) - before:
            path = [getattr(sys.modules[name], "__file__", None) or ""]
            path += getattr(sys.modules[name], "__path__", [])
            if any(Path(file).is_relative_to(example) for file in path if file):
                del sys.modules[name]
