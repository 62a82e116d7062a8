"""The versions of zips that a deployed template starts from. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Pin = tuple[str, str]
"""The key of a zip in the asset bucket, and its S3 version; either may be empty."""


def of_function(properties: Mapping[str, Any]) -> Iterator[Pin]:
    """The pin of an ``AWS::Lambda::Function``."""
    code = properties.get("Code") or {}
    yield code.get("S3Key", ""), code.get("S3ObjectVersion", "")
