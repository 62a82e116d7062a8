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


def of_project(properties: Mapping[str, Any]) -> Iterator[Pin]:
    """The pins of an ``AWS::CodeBuild::Project``: its code, and its packages."""
    yield _key(properties.get("Source")), properties.get("SourceVersion", "")
    versions = {
        each.get("SourceIdentifier"): each.get("SourceVersion", "")
        for each in properties.get("SecondarySourceVersions") or ()
    }
    for source in properties.get("SecondarySources") or ():
        yield _key(source), versions.get(source.get("SourceIdentifier"), "")


def _key(source: Mapping[str, Any] | None) -> str:
    return str((source or {}).get("Location", "")).partition("/")[2]
