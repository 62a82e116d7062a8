"""A build's sources: zip objects of S3 to files."""

from __future__ import annotations

import shutil
import stat
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..machines.failure import Failure, words


def fetch(
    source: Mapping[str, Any], version: str | None, s3: Callable[[], Any], directory: Path
) -> str | None:
    """Put a source into `directory`; the version of the object, where it has one.

    Args:
        version: of the object, if it is not to be the latest.

    Raises:
        Failure: it is of a type that is not supported here, or is not there, or no zip.
    """
    kind = source.get("type", "NO_SOURCE")
    if kind == "NO_SOURCE":
        return None
    if kind != "S3":
        raise Failure(
            "CLIENT_ERROR", f"source type {kind} is not supported on the embedded cloud, only S3"
        )
    location = _location(source)
    bucket, _, key = location.partition("/")
    if not bucket or not key or key.endswith("/"):
        raise Failure(
            "CLIENT_ERROR",
            f"source location {location!r} is not supported on the embedded cloud, only the zip"
            " object <bucket>/<key>",
        )
    archive = directory.with_name(f"{directory.name}.zip")
    try:
        answer = s3().get_object(
            Bucket=bucket, Key=key, **({"VersionId": version} if version else {})
        )
        with archive.open("wb") as file:
            shutil.copyfileobj(answer["Body"], file, 1 << 20)
    except Exception as error:
        raise Failure(
            "CLIENT_ERROR", f"error while downloading key {key}, error: {words(error)}"
        ) from error
    try:
        with zipfile.ZipFile(archive) as content:
            for member in content.infolist():
                path = Path(content.extract(member, directory))
                mode = stat.S_IMODE(member.external_attr >> 16)
                if not member.is_dir():
                    path.chmod(mode & 0o755 | 0o644)
    except (zipfile.BadZipFile, OSError) as error:
        raise Failure("CLIENT_ERROR", f"error while extracting key {key}: {error}") from error
    archive.unlink()
    found: str | None = answer.get("VersionId")
    return found


def url(source: Mapping[str, Any]) -> str:
    """Where a source is, as builds are told; empty without one."""
    return f"s3://{_location(source)}" if source.get("type") == "S3" else ""


def _location(source: Mapping[str, Any]) -> str:
    return str(source.get("location", "")).removeprefix("arn:aws:s3:::")
