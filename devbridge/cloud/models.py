"""botocore's models of services, without what they say to readers: a third of a client's memory.

All sessions share them: each is read once.

Import this where a cloud is connected: it imports botocore.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any, Final

from botocore.loaders import JSONFileLoader, Loader


class _Terse(JSONFileLoader):
    def _load_file(self, full_path: str, open_method: Callable[..., IO[bytes]]) -> Any:
        if not Path(full_path).is_file():
            return None
        with open_method(full_path, "rb") as file:
            return json.load(file, object_pairs_hook=_without_documentation)


class TerseLoader(Loader):
    """For a session that is not ours alone: boto3 adds its own folder to it."""

    FILE_LOADER_CLASS = _Terse


LOADER: Final = TerseLoader()
"""For any session of botocore's: ``session.register_component("data_loader", LOADER)``."""


def load_ahead(*services: str) -> None:
    """Import and read what clients of these services will need: the parts that take long."""
    import botocore.session  # noqa: F401

    LOADER.load_data_with_path("endpoints")
    LOADER.load_data("partitions")
    for service in services:
        for part in ("service-2", "endpoint-rule-set-1"):
            LOADER.load_service_model(service, part, api_version=None)


def _without_documentation(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    # A shape's member can have that name, too: it is a dictionary then.
    return {
        key: "" if key == "documentation" and isinstance(value, str) else value
        for key, value in pairs
    }
