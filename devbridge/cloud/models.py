"""botocore's models of services, without what they say to readers: a third of a client's memory.

Import this where a cloud is connected: it imports botocore.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any

from botocore.loaders import JSONFileLoader, Loader


class _Terse(JSONFileLoader):
    def _load_file(self, full_path: str, open_method: Callable[..., IO[bytes]]) -> Any:
        if not Path(full_path).is_file():
            return None
        with open_method(full_path, "rb") as file:
            return json.load(file, object_pairs_hook=_without_documentation)


class TerseLoader(Loader):
    """For one session: ``session.register_component("data_loader", TerseLoader())``."""

    FILE_LOADER_CLASS = _Terse


def _without_documentation(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    # A shape's member can have that name, too: it is a dictionary then.
    return {
        key: "" if key == "documentation" and isinstance(value, str) else value
        for key, value in pairs
    }
